#include "service/wake/subscriptions.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "base/hex.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "io/store/private_file.h"
#include "wire/json/json.h"

namespace offhook::service {
namespace {

// One a line, as the browser gave it: a line that is damaged costs one subscription.
std::string line_of(const Subscription& subscription) {
  json::Writer out;
  out.begin_object().field("endpoint", subscription.endpoint).key("keys").begin_object();
  out.field("p256dh", crypto::base64url_encode(subscription.recipient.point));
  out.field("auth", crypto::base64url_encode(subscription.recipient.auth));
  out.end_object().end_object();
  return out.take();
}

bool same(const Subscription& a, const Subscription& b) {
  return a.endpoint == b.endpoint && a.recipient.point == b.recipient.point &&
         a.recipient.auth == b.recipient.auth;
}

}  // namespace

// A user's name may hold what no file's name does.
std::string Subscriptions::path_of(std::string_view user) const {
  return directory_ + "/" + to_hex(crypto::sha256(as_bytes(user)));
}

std::vector<Subscription> Subscriptions::of(std::string_view user) const {
  const std::string path = path_of(user);
  if (!io::file_exists(path)) return {};
  const auto text = io::read_file(path);
  if (!text) {
    spdlog::error("push subscriptions: {}", text.error().message);
    return {};
  }
  std::vector<Subscription> all;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (auto one = parse_subscription(rest.substr(0, end), policy_)) all.push_back(std::move(*one));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return all;
}

Result<void, std::string> Subscriptions::add(std::string_view user, const Subscription& subscription) {
  std::vector<Subscription> all = of(user);
  if (std::ranges::any_of(all, [&](const auto& one) { return same(one, subscription); })) return {};
  std::erase_if(all, [&](const auto& one) { return one.endpoint == subscription.endpoint; });
  all.push_back(subscription);
  if (all.size() > kMaxSubscriptionsPerUser) all.erase(all.begin());
  return write(user, all);
}

Result<bool, std::string> Subscriptions::remove(std::string_view user, std::string_view endpoint) {
  std::vector<Subscription> all = of(user);
  if (std::erase_if(all, [&](const auto& one) { return one.endpoint == endpoint; }) == 0) return false;
  if (auto written = write(user, all); !written) return fail(written.error());
  return true;
}

Result<void, std::string> Subscriptions::write(std::string_view user, const std::vector<Subscription>& all) {
  const std::string path = path_of(user);
  std::string text;
  for (const Subscription& one : all) text += line_of(one) + "\n";
  const auto done = all.empty() ? io::remove_file(path) : io::write_private_file(path, text);
  if (!done) return fail(done.error().message);
  return {};
}

}  // namespace offhook::service
