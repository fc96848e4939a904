#pragma once
// What a verified connection says of the device behind it.

#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/warm_path.h"

namespace offhook::call {

struct VerifiedDevice {
  std::string_view user;                 // borrowed; signal::is_user(user)
  WarmPath warm_path = WarmPath::relay;  // of its session, until the next hello
  // Where its connection comes from. In a call its media most likely comes from there, too, so the other
  // side's relay lets that in before any candidate says so. nullopt: unknown.
  std::optional<Ip> seen_at;
};

}  // namespace offhook::call
