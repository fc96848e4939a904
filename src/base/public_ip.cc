#include "base/public_ip.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <vector>

namespace offhook {
namespace {

// Everything that is not the public internet, and what embeds an IPv4 address. The IPv6 entries outside
// 2000::/3 are refused by that rule already; they are listed so that the list is complete by itself.
constexpr std::string_view kNotPublic[] = {
    "0.0.0.0/8",          // this network: Linux takes 0.0.0.0 for itself
    "10.0.0.0/8",         // private
    "100.64.0.0/10",      // carrier-grade NAT, and metadata at 100.100.100.200
    "127.0.0.0/8",        // loopback
    "169.254.0.0/16",     // link-local, and metadata at 169.254.169.254
    "172.16.0.0/12",      // private
    "192.0.0.0/24",       // IETF protocol assignments, and metadata at 192.0.0.192
    "192.0.2.0/24",       // documentation
    "192.31.196.0/24",    // AS112
    "192.52.193.0/24",    // AMT
    "192.88.99.0/24",     // 6to4 relay anycast
    "192.168.0.0/16",     // private
    "192.175.48.0/24",    // AS112
    "198.18.0.0/15",      // benchmarks
    "198.51.100.0/24",    // documentation
    "203.0.113.0/24",     // documentation
    "224.0.0.0/4",        // multicast
    "240.0.0.0/4",        // reserved, broadcast
    "168.63.129.16/32",   // Azure's platform, at a public address
    "::/96",              // unspecified, loopback, IPv4-compatible
    "::ffff:0:0/96",      // IPv4-mapped
    "::ffff:0:0:0/96",    // SIIT
    "64:ff9b::/96",       // NAT64
    "64:ff9b:1::/48",     // local NAT64
    "100::/64",           // discard
    "100:0:0:1::/64",     // dummy prefix
    "2001::/23",          // IETF protocol assignments, Teredo
    "2001:db8::/32",      // documentation
    "2002::/16",          // 6to4
    "2620:4f:8000::/48",  // AS112
    "3fff::/20",          // documentation
    "5f00::/16",          // segment routing
    "fc00::/7",           // unique local, and metadata at fd00:ec2::254
    "fe80::/10",          // link-local
    "fec0::/10",          // site-local
    "ff00::/8",           // multicast
};

const std::vector<Prefix>& not_public() {
  static const std::vector<Prefix> kPrefixes = [] {
    std::vector<Prefix> prefixes;
    for (const std::string_view text : kNotPublic) {
      const auto prefix = Prefix::parse(text);
      assert(prefix);
      prefixes.push_back(*prefix);
    }
    return prefixes;
  }();
  return kPrefixes;
}

}  // namespace

bool is_public(const Ip& ip) {
  const bool listed =
      std::ranges::any_of(not_public(), [&](const Prefix& entry) { return entry.contains(ip); });
  if (listed) return false;
  if (ip.is_v4()) return true;
  const bool global_unicast = (ip.octets()[0] & 0xE0U) == 0x20;  // 2000::/3
  return global_unicast && !is_isatap(ip);
}

bool is_isatap(const Ip& ip) {
  const Bytes octets = ip.octets();
  return !ip.is_v4() && (octets[8] & 0xFCU) == 0 && octets[9] == 0 && octets[10] == 0x5E &&
         octets[11] == 0xFE;
}

}  // namespace offhook
