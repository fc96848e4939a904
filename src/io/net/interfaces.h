#pragma once

#include <vector>

#include "base/address.h"

namespace offhook::io {

// The addresses of every interface that is up, without repetition, IPv4 first. Link-local IPv6 addresses are
// left out: they mean nothing without a zone.
std::vector<Ip> interface_addresses();

}  // namespace offhook::io
