#include "io/net/fd_table.h"

#include <linux/close_range.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace offhook::io {
namespace {

constexpr unsigned kFirstOfOurs = STDERR_FILENO + 1;

// ThreadSanitizer holds a number to be one descriptor in every thread, and would see races between strangers.
#if defined(OFFHOOK_SANITIZE_THREAD)
constexpr bool kOneTableAlone = true;
#else
constexpr bool kOneTableAlone = false;
#endif

// Returns 0 or an errno.
int close_from_to(unsigned first, unsigned last, unsigned flags) {
  return close_range(first, last, static_cast<int>(flags)) == 0 ? 0 : errno;
}

}  // namespace

Result<void, SystemError> own_fd_table(std::vector<int> keep) {
  const std::string what = "give a thread its own table of open files";
  if (kOneTableAlone) return fail(system_error(what, ENOTSUP));
  // What could not be opened has no number.
  std::erase_if(keep, [](int fd) { return fd < 0; });
  std::ranges::sort(keep);
  unsigned last_kept = kFirstOfOurs - 1;
  if (!keep.empty()) last_kept = std::max(last_kept, static_cast<unsigned>(keep.back()));
  // Copies what lies below the range and takes the copy in one step, so that nothing is half done on failure.
  const int code = close_from_to(last_kept + 1, UINT_MAX, CLOSE_RANGE_UNSHARE);
  if (code != 0) return fail(system_error(what, code));
  unsigned first = kFirstOfOurs;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned>(fd);
    if (kept > first) (void)close_from_to(first, kept - 1, 0);
    first = std::max(first, kept + 1);
  }
  return {};
}

void close_own_fd_table() { (void)close_from_to(kFirstOfOurs, UINT_MAX, 0); }

}  // namespace offhook::io
