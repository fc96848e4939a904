#pragma once
// Two TUN devices and the two paths between them.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "path.h"
#include "tun.h"

namespace offhook::lab {

struct Direction {
  Direction(int from_fd, int to_fd, std::uint64_t seed) : from(from_fd), to(to_fd), path(seed) {}

  int from;
  int to;
  Path path;
};

// `up` leads from the first device to the second, from the client to the internet; `down` back.
class Link {
 public:
  Link(FileDescriptor near, FileDescriptor far, std::uint64_t seed)
      : near_(std::move(near)),
        far_(std::move(far)),
        up(near_.get(), far_.get(), seed),
        down(far_.get(), near_.get(), ~seed) {}

 private:
  FileDescriptor near_;
  FileDescriptor far_;

 public:
  Direction up;
  Direction down;
};

// Reads what has arrived (a bounded number, so that no link starves another) and sends or holds it.
void receive(Direction& direction, std::unique_ptr<Packet>& spare, Time now);

// Sends what is due.
void send_due(Direction& direction, Time now);

}  // namespace offhook::lab
