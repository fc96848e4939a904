#include "service/wake/wake_service.h"

#include <spdlog/spdlog.h>

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "io/tls/client_context.h"
#include "service/wake/push_routes.h"
#include "service/wake/push_sender.h"
#include "service/wake/wake_keys.h"
#include "service/wake/webhook.h"

namespace offhook::service {
namespace {

struct WebhookTarget {
  io::HttpUrl url;
  Secret key;
};

Result<std::optional<WebhookTarget>, std::string> webhook_target(const WakeSettings& settings,
                                                                 Random& random) {
  if (settings.webhook_url.empty()) return std::nullopt;
  const auto url = io::HttpUrl::parse(settings.webhook_url);
  if (!url) {
    return fail(
        std::string("webhook_url must be an http or https URL of your backend, without a user in it, such as "
                    "https://app.example.org/calls"));
  }
  Secret text = settings.webhook_secret;
  if (text.empty()) {
    auto made = load_or_make_webhook_secret(settings.state_dir, random);
    if (!made) return fail(made.error());
    text = std::move(*made);
  }
  auto key = parse_webhook_secret(text);
  if (!key) return fail(key.error());
  return WebhookTarget{*url, std::move(*key)};
}

}  // namespace

class WakeService::Impl {
 public:
  Impl(io::ControlLoop& loop, const WakeSettings& settings, const credentials::TokenVerifier& verifier,
       Random& random, crypto::P256Key vapid_key, std::optional<WebhookTarget> webhook,
       const io::TlsContext& tls)
      : ring_timeout_(settings.ring_timeout),
        policy_(settings.any_endpoint ? EndpointPolicy::any : EndpointPolicy::public_only),
        subscriptions_(settings.state_dir + "/push", policy_),
        push_(loop, std::move(vapid_key), settings.push_contact, policy_, tls, random),
        routes_(subscriptions_, verifier, policy_, push_.application_server_key()) {
    if (webhook) webhook_.emplace(loop, std::move(webhook->url), std::move(webhook->key), tls, random);
  }

  void add_routes(io::HttpServer& server) { routes_.add_to(server); }
  void on_waking(OnWaking on_waking) { on_waking_ = std::move(on_waking); }

  void dialled(const call::CallDialled& effect) {
    const Ring ring{
        effect.call,  effect.caller, effect.callee, effect.media, io::ControlLoop::now().monotonic,
        ring_timeout_};
    Waked& waked = waked_by_call_.emplace(effect.call, Waked{ring, {}, 0, false, false}).first->second;
    const auto on_over = [this, call = effect.call](Fate fate) { settle(call, fate); };
    if (webhook_ && webhook_->post(CallEvent::dialled, ring, "", on_over)) waked.open_attempts += 1;
    for (Subscription& subscription : subscriptions_.of(ring.callee)) {
      const auto on_pushed = [this, call = effect.call, user = ring.callee,
                              endpoint = subscription.endpoint](Fate fate) {
        if (fate == Fate::gone) forget(user, endpoint);
        if (fate == Fate::gone || fate == Fate::refused) leave_out(call, endpoint);
        settle(call, fate);
      };
      const auto message = push_.send_ring(ring, subscription, on_pushed);
      if (!message) continue;
      waked.open_attempts += 1;
      waked.browsers.push_back({std::move(subscription), *message});
    }
    if (waked.open_attempts > 0) tell(effect.call, call::Waking::under_way);
  }

  void answered(const call::CallAnswered& effect) {
    const auto found = waked_by_call_.find(effect.call);
    if (found == waked_by_call_.end()) return;
    Waked& waked = found->second;
    waked.is_answered = true;
    if (webhook_)
      (void)webhook_->post(CallEvent::answered, waked.ring, "", {});  // counted if there is no room
    stop_ringing(waked, "answered");
  }

  void ended(const call::CallEnded& effect) {
    const auto entry = waked_by_call_.extract(effect.call);
    if (entry.empty()) return;
    Waked& waked = entry.mapped();
    // It goes on to the callee's phones, who hear nothing of a caller's block.
    const bool is_blocked = effect.reason == signal::EndReason::blocked;
    const std::string_view reason = signal::name(is_blocked ? signal::EndReason::canceled : effect.reason);
    const CallEvent event = waked.is_answered ? CallEvent::ended : CallEvent::canceled;
    if (webhook_) (void)webhook_->post(event, waked.ring, reason, {});  // counted if there is no room
    if (!waked.is_answered) stop_ringing(waked, reason);
  }

  WakeCounters counters() const {
    WakeCounters counters;
    if (webhook_) counters.webhook = webhook_->counters();
    counters.push = push_.counters();
    counters.subscriptions_added = routes_.added();
    counters.subscriptions_gone = gone_;
    counters.rings = waked_by_call_.size();
    return counters;
  }

 private:
  struct Browser {
    Subscription subscription;
    wake::MessageId ring_message{};
  };
  struct Waked {
    Ring ring;
    std::vector<Browser> browsers;
    std::size_t open_attempts = 0;
    bool is_reached = false;  // one of them has been delivered
    bool is_answered = false;
  };

  // One attempt to wake somebody for this call has come to its end.
  void settle(const signal::CallId& call, Fate fate) {
    const auto found = waked_by_call_.find(call);
    if (found == waked_by_call_.end()) return;
    Waked& waked = found->second;
    waked.open_attempts -= 1;
    waked.is_reached = waked.is_reached || fate == Fate::delivered;
    if (waked.open_attempts == 0 && !waked.is_reached) tell(call, call::Waking::failed);
  }

  void stop_ringing(Waked& waked, std::string_view reason) {
    for (const Browser& browser : std::exchange(waked.browsers, {})) {
      push_.take_back(browser.ring_message);
      push_.send_over(waked.ring, browser.subscription, reason);
    }
  }

  // It has not rung there, so there is nothing to stop.
  void leave_out(const signal::CallId& call, const std::string& endpoint) {
    const auto found = waked_by_call_.find(call);
    if (found == waked_by_call_.end()) return;
    std::erase_if(found->second.browsers,
                  [&](const Browser& browser) { return browser.subscription.endpoint == endpoint; });
  }

  void forget(const std::string& user, const std::string& endpoint) {
    gone_ += 1;
    if (const auto removed = subscriptions_.remove(user, endpoint); !removed)
      spdlog::error("push subscriptions: {}", removed.error());
  }

  void tell(const signal::CallId& call, call::Waking waking) {
    if (on_waking_) on_waking_(call, waking);
  }

  const Duration ring_timeout_;
  const EndpointPolicy policy_;
  Subscriptions subscriptions_;
  PushSender push_;
  std::optional<Webhook> webhook_;
  PushRoutes routes_;
  OnWaking on_waking_;
  std::map<signal::CallId, Waked> waked_by_call_;
  std::uint64_t gone_ = 0;
};

Result<std::unique_ptr<WakeService>, std::string> WakeService::create(
    io::ControlLoop& loop, WakeSettings settings, const credentials::TokenVerifier& verifier,
    Random& random) {
  auto webhook = webhook_target(settings, random);
  if (!webhook) return fail(webhook.error());
  auto vapid_key = load_or_make_vapid_key(settings.state_dir, random);
  if (!vapid_key) return fail(vapid_key.error());
  const auto tls = io::client_context("");
  if (!tls) return fail(tls.error());
  return std::unique_ptr<WakeService>(new WakeService(std::make_unique<Impl>(
      loop, settings, verifier, random, std::move(*vapid_key), std::move(*webhook), *tls)));
}

WakeService::WakeService(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WakeService::~WakeService() = default;

void WakeService::add_routes(io::HttpServer& server) { impl_->add_routes(server); }
void WakeService::on_waking(OnWaking on_waking) { impl_->on_waking(std::move(on_waking)); }
void WakeService::handle(const call::CallDialled& dialled) { impl_->dialled(dialled); }
void WakeService::handle(const call::CallAnswered& answered) { impl_->answered(answered); }
void WakeService::handle(const call::CallEnded& ended) { impl_->ended(ended); }
WakeCounters WakeService::counters() const { return impl_->counters(); }

}  // namespace offhook::service
