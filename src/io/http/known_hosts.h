#pragma once
// The addresses of servers that have answered us. One slow name server must not hold up requests to others:
// names are looked up one after the other, and whoever gives us a URL chooses its name server. So a host that
// has answered once is reached by what is known of it, and looked up beside.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/time.h"

namespace offhook::io {

class KnownHosts {
 public:
  // Push services and one backend are a dozen. Beyond it the one that was learned longest ago goes.
  static constexpr std::size_t kLimit = 256;
  // Time-to-live values of large services are about a minute.
  static constexpr std::chrono::minutes kFresh{1};
  static constexpr std::chrono::hours kUsable{1};

  struct Known {
    std::vector<Ip> addresses;
    bool is_stale = false;  // to be looked up again, which the caller does once
  };
  std::optional<Known> find(std::string_view host, Instant now);
  void learn(const std::string& host, std::vector<Ip> addresses, Instant now);
  // What is known of it has not led to an answer.
  void forget(std::string_view host);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::vector<Ip> addresses;
    Instant learned_at;
    Instant look_again_at;
  };
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace offhook::io
