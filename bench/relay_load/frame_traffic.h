#pragma once
// The measured packets as frames that the kernel's programs of frames.bpf.c put into the devices of clients
// and peers, and take out of them: what a server pays for a packet is then what it pays behind a network
// card. Linux 5.18 is needed.

#include <bpf/libbpf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/loop/fd.h"
#include "relay_load/frame_abi.h"
#include "relay_load/phase.h"

namespace offhook::bench {

struct FrameEnd {
  std::string netns_path;
  std::string device;
  std::uint32_t first_ip = 0;  // of the clients, or of the peers
  std::uint16_t port = 0;
};

class FrameTraffic {
 public:
  // Loads the programs, and has the receiving one at both ends until this is gone. From then on sockets get
  // what is no packet of a phase.
  static Result<std::unique_ptr<FrameTraffic>, std::string> attach(const FrameEnd& clients,
                                                                   const FrameEnd& peers,
                                                                   std::size_t payload_bytes);
  ~FrameTraffic();
  FrameTraffic(const FrameTraffic&) = delete;
  FrameTraffic& operator=(const FrameTraffic&) = delete;

  // As run_phase of phase.h. Both ends must know the hardware address of their neighbour, the server's end.
  Result<PhaseResult, std::string> run_phase(const Bench& bench, const PhasePlan& plan);

 private:
  FrameTraffic(const FrameEnd& clients, const FrameEnd& peers, std::size_t payload_bytes)
      : clients_(clients), peers_(peers), payload_bytes_(payload_bytes) {}

  Result<void, std::string> load();
  Result<void, std::string> attach_to(const FrameEnd& end);
  Result<void, std::string> prepare(const Bench& bench, const PhasePlan& plan);
  void describe_flows(const Bench& bench, const PhasePlan& plan);
  Result<void, std::string> read_hardware_addresses(const FrameEnd& end);
  void write_off_what_is_lost();
  void drain();
  const FrameEnd& sending_end(const PhasePlan& plan) const;
  Buffer template_frame(const PhasePlan& plan) const;

  struct Close {
    void operator()(bpf_object* object) const { bpf_object__close(object); }
  };
  class Sending;

  FrameEnd clients_;
  FrameEnd peers_;
  std::size_t payload_bytes_;
  std::unique_ptr<bpf_object, Close> object_;
  std::vector<io::Fd> links_;
  std::uint32_t phases_ = 0;
  std::uint64_t last_received_ = 0;
  double last_receipt_s_ = 0;
  // Shared with the kernel.
  volatile frame_settings* settings_ = nullptr;
  volatile frame_counts* counts_ = nullptr;
  std::span<frame_outgoing> outgoing_;
  std::span<frame_incoming> incoming_;
};

}  // namespace offhook::bench
