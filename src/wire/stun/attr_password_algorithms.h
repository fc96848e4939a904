#pragma once
// PASSWORD-ALGORITHM (RFC 8489 section 14.12), and PASSWORD-ALGORITHMS (section 14.11), a list of the same
// element.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |          Algorithm            |  Algorithm Parameters Length  |
//   |              Algorithm Parameters (variable)                  |
//
// The parameters are padded to a multiple of four bytes; their length does not count the padding.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "wire/stun/message.h"

namespace offhook::stun {

// The registry of RFC 8489 section 18.5.1. Neither has parameters.
inline constexpr std::uint16_t kPasswordAlgorithmMd5 = 0x0001;
inline constexpr std::uint16_t kPasswordAlgorithmSha256 = 0x0002;
// Two are registered; more than this is no list that a server wrote.
inline constexpr std::size_t kPasswordAlgorithmsLimit = 16;

struct PasswordAlgorithm {
  std::uint16_t algorithm = 0;
  Bytes parameters;  // borrows
};

// Nothing if an element reaches past the end, or bytes follow the one element.
std::optional<PasswordAlgorithm> parse_password_algorithm(Bytes value);
void add_password_algorithm(MessageBuilder& builder, const PasswordAlgorithm& algorithm);

// In the order sent, which is the server's preference. Nothing if the list is empty, an element reaches past
// the end, or there are more than kPasswordAlgorithmsLimit. The last element's padding may be absent.
std::optional<std::vector<PasswordAlgorithm>> parse_password_algorithms(Bytes value);
void add_password_algorithms(MessageBuilder& builder, std::span<const PasswordAlgorithm> algorithms);

}  // namespace offhook::stun
