#pragma once

#include <string>
#include <vector>

#include "base/address.h"

namespace offhook::io {

// The addresses of every interface that is up, without repetition, IPv4 first. Link-local IPv6 addresses are
// left out: they mean nothing without a zone.
std::vector<Ip> interface_addresses();

// The index of every interface that is up, has one of `ips` and sends to neighbours by their Ethernet
// address, without repetition.
std::vector<int> ethernet_interfaces_with(const std::vector<Ip>& ips);

// By its index; "interface 7" if it is gone.
std::string interface_name(int index);

}  // namespace offhook::io
