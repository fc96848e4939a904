#pragma once

#include "io/loop/fd.h"

namespace offhook::io {

// An eventfd that makes a waiting loop return. ring() may be called from any thread; the rest belongs to the
// loop. With no descriptor left, fd() is negative and adding it to a poller fails.
class WakeUp {
 public:
  WakeUp();
  int fd() const { return fd_.get(); }
  void ring() const;
  // Takes back every ring so far.
  void clear() const;

 private:
  Fd fd_;
};

}  // namespace offhook::io
