#pragma once

#include "base/bytes.h"

namespace offhook::io {

// The compiled kernel program of bpf/, as ELF.
Bytes route_object();

}  // namespace offhook::io
