#pragma once
// Operating errors are values: Result<T, E> holds one or the other (gcc 12 has no std::expected).

#include <tl/expected.hpp>

namespace offhook {

template <typename T, typename E>
using Result = tl::expected<T, E>;

template <typename E>
tl::unexpected<std::decay_t<E>> fail(E&& error) {
  return tl::unexpected<std::decay_t<E>>(std::forward<E>(error));
}

}  // namespace offhook
