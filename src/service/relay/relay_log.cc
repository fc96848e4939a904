#include "service/relay/relay_log.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>

#include "base/redact.h"
#include "io/net/system_error.h"

namespace offhook::relay {
namespace {

using turn::AuditEvent;

Counter counter_of(AuditEvent event) {
  switch (event) {
    case AuditEvent::allocation_created:
      return Counter::allocations_created;
    case AuditEvent::allocation_refreshed:
      return Counter::allocations_refreshed;
    case AuditEvent::allocation_deleted:
      return Counter::allocations_deleted;
    case AuditEvent::allocation_expired:
      return Counter::allocations_expired;
    case AuditEvent::credentials_refused:
      return Counter::refused_credentials;
    case AuditEvent::peer_refused:
      return Counter::refused_peer;
    case AuditEvent::quota_refused:
      return Counter::refused_quota;
    case AuditEvent::capacity_refused:
      return Counter::refused_capacity;
  }
  return Counter::refused_capacity;
}

std::string_view words_of(AuditEvent event) {
  switch (event) {
    case AuditEvent::allocation_created:
      return "allocation created";
    case AuditEvent::allocation_refreshed:
      return "allocation refreshed";
    case AuditEvent::allocation_deleted:
      return "allocation deleted";
    case AuditEvent::allocation_expired:
      return "allocation expired";
    case AuditEvent::credentials_refused:
      return "refused: wrong or expired credentials";
    case AuditEvent::peer_refused:
      return "refused: this peer address is not allowed";
    case AuditEvent::quota_refused:
      return "refused: quota of allocations reached";
    case AuditEvent::capacity_refused:
      return "refused: no capacity";
  }
  return "";
}

bool is_refusal(AuditEvent event) {
  switch (event) {
    case AuditEvent::allocation_created:
    case AuditEvent::allocation_refreshed:
    case AuditEvent::allocation_deleted:
    case AuditEvent::allocation_expired:
      return false;
    case AuditEvent::credentials_refused:
    case AuditEvent::peer_refused:
    case AuditEvent::quota_refused:
    case AuditEvent::capacity_refused:
      return true;
  }
  return false;
}

}  // namespace

void RelayLog::audit(const turn::Audit& audit, Instant now) {
  counters_.add(counter_of(audit.event));
  const auto level = is_refusal(audit.event) ? spdlog::level::info : spdlog::level::debug;
  if (!spdlog::should_log(level)) return;
  if (is_refusal(audit.event) && !may_write(now)) return;
  const turn::FiveTuple& five_tuple = audit.client.five_tuple;
  spdlog::log(level, "relay: {} user={} client={} transport={} address={}", words_of(audit.event),
              audit.username.empty() ? "-" : audit.username, redacted(five_tuple.client_address.ip),
              five_tuple.transport == turn::Transport::udp ? "udp" : "tcp",
              audit.address == Address{} ? "-" : redacted(audit.address.ip));
}

void RelayLog::no_relay_socket(int code, Instant now) {
  if (!may_write(now)) return;
  if (code == 0 || code == EADDRINUSE) {
    spdlog::warn("relay: no relay port is free; widen --relay-ports or add a --relay-address");
    return;
  }
  spdlog::warn("relay: {}", io::system_error("open a relay socket", code).text());
}

bool RelayLog::may_write(Instant now) {
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    lines_ = 0;
    if (suppressed_ > 0) spdlog::info("relay: {} more lines about refusals left out", suppressed_);
    suppressed_ = 0;
  }
  if (lines_ >= kRefusalLinesLimit) {
    suppressed_ += 1;
    return false;
  }
  lines_ += 1;
  return true;
}

}  // namespace offhook::relay
