#pragma once

#include "base/bytes.h"

namespace offhook::bench {

// The compiled programs of frames.bpf.c, as ELF.
Bytes frames_object();

}  // namespace offhook::bench
