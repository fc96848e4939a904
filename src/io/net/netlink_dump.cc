#include "io/net/netlink_dump.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "io/loop/fd.h"

namespace offhook::io {
namespace {

using Describe = std::string (*)(const NetlinkMessage&);

// The kernel puts no more into one answer (netlink_dump() in net/netlink/af_netlink.c).
constexpr std::size_t kAnswerBytes = 32768;

// Changes are rare and a reading takes microseconds: one in each of so many is no coincidence.
constexpr int kReadings = 4;

struct Reading {
  std::string found;
  bool has_ended = false;
  int error = 0;  // an errno
};

// NLMSG_ERROR and NLMSG_DONE both begin with it, negative.
int error_in(Bytes body) { return -start_of<int>(body).value_or(-EBADMSG); }

void read_message(const NetlinkMessage& message, Describe describe, Reading& reading) {
  if ((message.header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) reading.error = EINTR;
  if (message.header.nlmsg_type == NLMSG_ERROR || message.header.nlmsg_type == NLMSG_DONE) {
    reading.has_ended = true;
    if (const int error = error_in(message.body); error != 0) reading.error = error;
  } else if (message.header.nlmsg_type >= NLMSG_MIN_TYPE) {
    reading.found = describe(message);
  }
}

void read_answer(Bytes answer, Describe describe, Reading& reading) {
  while (!reading.has_ended && reading.found.empty()) {
    const auto message = take_element<nlmsghdr>(answer);
    if (!message) break;
    read_message(*message, describe, reading);
  }
  if (reading.has_ended || !reading.found.empty() || answer.empty()) return;
  reading.has_ended = true;
  reading.error = EBADMSG;
}

Result<std::string, int> read_once(int protocol, Bytes request, Describe describe) {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol));
  if (!socket || send(socket.get(), request.data(), request.size(), 0) < 0) return fail(errno);
  std::array<std::uint8_t, kAnswerBytes> answer{};
  Reading reading;
  while (!reading.has_ended && reading.found.empty()) {
    // The kernel has answered before send() returns, and goes on within recv(): there is nothing to wait for.
    const ssize_t length = recv(socket.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (length < 0) return fail(errno);
    const auto bytes = static_cast<std::size_t>(length);
    if (bytes == 0 || bytes > answer.size()) return fail(EMSGSIZE);
    read_answer(Bytes(answer).first(bytes), describe, reading);
  }
  // What is found is there, whatever else changed.
  if (reading.found.empty() && reading.error != 0) return fail(reading.error);
  return reading.found;
}

}  // namespace

Result<std::string, int> first_in_dump(int protocol, Bytes request, Describe describe) {
  auto result = read_once(protocol, request, describe);
  for (int i = 1; i < kReadings && !result && result.error() == EINTR; ++i)
    result = read_once(protocol, request, describe);
  return result;
}

}  // namespace offhook::io
