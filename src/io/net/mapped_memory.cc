#include "io/net/mapped_memory.h"

#include <sys/mman.h>
#include <sys/types.h>

namespace offhook::io {

MappedMemory MappedMemory::map(std::size_t bytes, int flags, int fd, std::uint64_t offset) {
  MappedMemory memory;
  void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, static_cast<off_t>(offset));
  if (start == MAP_FAILED) return memory;
  memory.start_ = static_cast<std::uint8_t*>(start);
  memory.bytes_ = bytes;
  return memory;
}

MappedMemory::~MappedMemory() {
  if (start_ != nullptr) (void)munmap(start_, bytes_);
}

}  // namespace offhook::io
