#pragma once

#include "base/bytes.h"

namespace offhook::io {

// The compiled kernel program bpf/lookup.bpf.c, as ELF.
Bytes lookup_object();

}  // namespace offhook::io
