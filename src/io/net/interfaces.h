#pragma once

#include <vector>

#include "base/address.h"

namespace offhook::io {

// The addresses of every interface that is up, without repetition, IPv4 first. Link-local IPv6 addresses are
// left out: they mean nothing without a zone.
std::vector<Ip> interface_addresses();

// The index of every interface that is up and has one of `ips`, but loopback, without repetition.
std::vector<int> interfaces_with(const std::vector<Ip>& ips);

}  // namespace offhook::io
