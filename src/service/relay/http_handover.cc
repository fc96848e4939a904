#include "service/relay/http_handover.h"

#include <utility>

namespace offhook::relay {

bool HttpHandover::give(io::AcceptedStream stream) {
  // Over both: whoever is woken by the socket finds the rest.
  const std::scoped_lock lock(mutex_);
  if (waiting_by_label_.size() >= kWaitingLimit) return false;
  const std::uint64_t label = next_label_++;
  if (!sockets_.push(label, std::move(stream.socket))) return false;
  waiting_by_label_.emplace(label, Waiting{std::move(stream.tls), stream.client_address});
  return true;
}

std::vector<io::AcceptedStream> HttpHandover::take() {
  const std::scoped_lock lock(mutex_);
  std::vector<io::AcceptedStream> taken;
  while (auto next = sockets_.pop()) {
    auto waiting = waiting_by_label_.extract(next->label);
    if (waiting.empty() || !next->descriptor) continue;
    if (waiting.mapped().tls) waiting.mapped().tls->set_fd(next->descriptor.get());
    taken.push_back(
        {std::move(next->descriptor), std::move(waiting.mapped().tls), waiting.mapped().client_address});
  }
  return taken;
}

}  // namespace offhook::relay
