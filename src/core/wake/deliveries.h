#pragma once
// Messages on their way to other servers: which one is sent when, again after how long, and when it is given
// up. Sans-IO: the service keeps what the messages say, sends them, and reports what came of it.
//
// Messages of one lane go one after the other, in the order in which they were added: the next one begins
// when the one before it was delivered or given up. Lanes do not wait for each other, but for a free place.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/deadline_heap.h"
#include "base/random.h"
#include "base/time.h"

namespace offhook::wake {

struct DeliverySettings {
  // Waiting and under way. What comes beyond it is refused: the other side has been away for long, or is far
  // too slow, and old rings are of no use.
  std::size_t max_messages = 10'000;
  std::size_t max_under_way = 32;
  // The pause before the second attempt; each further one is twice as long, up to the longest. Of each, a
  // random part between half and all is waited, so that servers that failed together are not asked together.
  Duration first_pause = std::chrono::seconds(1);
  Duration longest_pause = std::chrono::minutes(1);
};

enum class MessageId : std::uint64_t {};

enum class Outcome : std::uint8_t {
  delivered,
  refused,  // it makes no sense to try again
  failed,   // it does
};

// What the service is asked to do.
struct Attempt {
  MessageId message{};
};
struct Dropped {
  MessageId message{};  // it is given up, since it is too old
};
struct DeliveryEffects {
  std::vector<Attempt> attempts;
  std::vector<Dropped> dropped;
};

class Deliveries {
 public:
  // `random` must outlive this.
  Deliveries(const DeliverySettings& settings, Random& random) : settings_(settings), random_(random) {}

  // Nothing if there is no room. The message is given up at `expiry`, unless an attempt is under way.
  std::optional<MessageId> add(std::string_view lane, Instant expiry, Instant now, DeliveryEffects& effects);
  // The end of an Attempt. A pause that the other side asked for counts if it is longer than ours. False if
  // the message will be tried again.
  bool handle_outcome(MessageId message, Outcome outcome, std::optional<Duration> asked_pause, Instant now,
                      DeliveryEffects& effects);
  // Takes out what has not been sent yet or waits for its next attempt. False if an attempt is under way.
  bool cancel(MessageId message, Instant now, DeliveryEffects& effects);
  void handle_deadlines(Instant now, DeliveryEffects& effects);
  Instant next_deadline() const;

  std::size_t size() const { return messages_.size(); }
  std::size_t under_way() const { return under_way_; }

 private:
  enum class Stage : std::uint8_t {
    queued,     // behind others of its lane, or for a free place
    under_way,  // the service has it
    pausing,    // between two attempts
  };
  struct Message {
    std::string lane;
    Instant expiry;
    Stage stage = Stage::queued;
    std::uint32_t attempts = 0;
  };

  void take_out(MessageId id);
  // Starts what has its turn, as long as there are places.
  void start_ready(Instant now, DeliveryEffects& effects);
  Duration pause_after(std::uint32_t attempts);

  const DeliverySettings settings_;
  Random& random_;
  std::unordered_map<MessageId, Message> messages_;
  std::map<std::string, std::deque<MessageId>, std::less<>> lanes_;
  std::deque<MessageId> ready_;  // heads of lanes that wait for a place
  DeadlineHeap<MessageId> pauses_;
  DeadlineHeap<MessageId> expiries_;  // of messages that are not under way
  std::size_t under_way_ = 0;
  std::uint64_t last_id_ = 0;
};

}  // namespace offhook::wake
