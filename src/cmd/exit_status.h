#pragma once

namespace offhook::cmd {

inline constexpr int kGood = 0;
inline constexpr int kFoundSomethingWrong = 1;
inline constexpr int kBadUsage = 2;

}  // namespace offhook::cmd
