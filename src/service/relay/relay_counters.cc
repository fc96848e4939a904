#include "service/relay/relay_counters.h"

namespace offhook::relay {

std::string_view name(Counter counter) {
  switch (counter) {
    case Counter::packets_from_clients:
      return "packets_from_clients";
    case Counter::bytes_from_clients:
      return "bytes_from_clients";
    case Counter::packets_to_clients:
      return "packets_to_clients";
    case Counter::bytes_to_clients:
      return "bytes_to_clients";
    case Counter::packets_from_peers:
      return "packets_from_peers";
    case Counter::bytes_from_peers:
      return "bytes_from_peers";
    case Counter::packets_to_peers:
      return "packets_to_peers";
    case Counter::bytes_to_peers:
      return "bytes_to_peers";
    case Counter::packets_hopped:
      return "packets_hopped";
    case Counter::packets_routed:
      return "packets_routed";
    case Counter::routes_refused:
      return "routes_refused";
    case Counter::allocations_live:
      return "allocations_live";
    case Counter::allocations_created:
      return "allocations_created";
    case Counter::allocations_refreshed:
      return "allocations_refreshed";
    case Counter::allocations_deleted:
      return "allocations_deleted";
    case Counter::allocations_expired:
      return "allocations_expired";
    case Counter::refused_credentials:
      return "refused_credentials";
    case Counter::refused_peer:
      return "refused_peer";
    case Counter::refused_quota:
      return "refused_quota";
    case Counter::refused_capacity:
      return "refused_capacity";
    case Counter::refused_introductions:
      return "refused_introductions";
    case Counter::dropped_from_peer:
      return "dropped_from_peer";
    case Counter::dropped_over_limit:
      return "dropped_over_limit";
    case Counter::dropped_by_kernel_send:
      return "dropped_by_kernel_send";
    case Counter::dropped_by_stream_queue:
      return "dropped_by_stream_queue";
    case Counter::dropped_by_receive_queue:
      return "dropped_by_receive_queue";
    case Counter::relays_alone:
      return "relays_alone";
    case Counter::connections_live:
      return "connections_live";
    case Counter::connections_accepted:
      return "connections_accepted";
    case Counter::connections_refused:
      return "connections_refused";
    case Counter::connections_timed_out:
      return "connections_timed_out";
    case Counter::tls_handshakes:
      return "tls_handshakes";
    case Counter::tls_handshakes_failed:
      return "tls_handshakes_failed";
    case Counter::http_connections:
      return "http_connections";
    case Counter::icmp_errors:
      return "icmp_errors";
    case Counter::mailbox_overflows:
      return "mailbox_overflows";
  }
  return "";
}

}  // namespace offhook::relay
