#pragma once
// A browser's push subscription, as PushSubscription.toJSON() gives it:
// {"endpoint":"https://…","keys":{"p256dh":"…","auth":"…"}}

#include <string>
#include <string_view>

#include "base/result.h"
#include "io/http/http_url.h"
#include "wire/push/message.h"

namespace offhook::service {

// Longest that push services use today is about 500.
inline constexpr std::size_t kMaxEndpoint = 1024;

struct Subscription {
  std::string endpoint;  // whoever knows it can push: it goes into no log
  io::HttpUrl url;       // the same, taken apart
  push::Recipient recipient;
};

enum class EndpointPolicy : std::uint8_t {
  public_only,  // https at port 443, and no address that is not public
  any,          // http as well, and this machine: for trying out
};

// The error says which field is wrong and how it should be.
Result<Subscription, std::string> parse_subscription(std::string_view json, EndpointPolicy policy);
// The endpoint alone, for taking a subscription back.
Result<std::string, std::string> parse_endpoint(std::string_view json);

}  // namespace offhook::service
