#pragma once
// The control language: one order a line, one line of JSON in answer.
//
//   add ID NAMESPACE DEVICE NAMESPACE DEVICE SEED     a link; the first end is the client's
//   set ID up|down|both [delay_ms X] [jitter_ms X] [loss 0..1] [rate_kbit X] [queue_ms X] [cut 0|1] [reorder
//   0|1]
//                       [rules none|PROTO:PORT:DELAY_MS,...]      what is not named stays
//   count ID                                          counters of both directions
//   remove ID                                         the devices go too

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "link.h"

namespace offhook::lab {

struct Links {
  std::map<std::string, std::unique_ptr<Link>, std::less<>> by_id;
};

// Told by an order about links that appear and disappear.
class LinkObserver {
 public:
  virtual ~LinkObserver() = default;
  virtual void added(Link& link) = 0;
  virtual void removing(Link& link) = 0;
};

std::string obey(std::string_view line, Links& links, LinkObserver& observer);

}  // namespace offhook::lab
