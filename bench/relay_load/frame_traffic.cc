#include "relay_load/frame_traffic.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "relay_load/frames_object.h"
#include "relay_load/namespace.h"

namespace offhook::bench {
namespace {

// Frames that go out together, if so many are due; and looks at the clock otherwise.
constexpr std::uint32_t kBatch = 64;
// Nothing received for this long at saturation: what is under way was lost, and the window starts again.
constexpr double kWindowStall_s = 0.02;
// Nothing received for this long after the last packet: nothing more will come.
constexpr double kDrain_s = 0.1;
constexpr double kLook_s = 0.005;
constexpr std::size_t kHeaderBytes = 14 + 20 + 8;
constexpr std::size_t kChannelHeaderBytes = 4;

void pause(double seconds) {
  const auto nanoseconds = static_cast<long>(seconds * 1e9);
  const timespec span{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  (void)::nanosleep(&span, nullptr);  // a signal makes it shorter; the caller looks at its own clock
}

template <typename Entry>
requires(sizeof(Entry) % 8 == 0) std::span<Entry> map_shared(const bpf_object* object, const char* name) {
  const bpf_map* map = bpf_object__find_map_by_name(object, name);
  const std::size_t count = bpf_map__max_entries(map);
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (count * bpf_map__value_size(map) + page - 1) / page * page;
  void* shared = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (shared == MAP_FAILED) return {};
  return {static_cast<Entry*>(shared), count};
}

std::uint8_t tail_byte(std::size_t position) { return static_cast<std::uint8_t>(position * 7 + 13); }

// The sum of 16-bit words as they stand in memory, folded (RFC 1071).
std::uint16_t sum_of(Bytes bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::array<std::uint8_t, 2> pair{bytes[i], i + 1 < bytes.size() ? bytes[i + 1] : std::uint8_t{0}};
    std::uint16_t word = 0;
    std::memcpy(&word, pair.data(), sizeof word);
    sum += word;
  }
  while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >> 16U);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

// The program sends for as long as the thread is in the kernel.
class FrameTraffic::Sending {
 public:
  Sending(int program, const FrameEnd& end, Buffer frame) : frame_(std::move(frame)) {
    struct sigaction nothing {};
    nothing.sa_handler = [](int) {};  // it only interrupts the call
    (void)::sigaction(SIGUSR1, &nothing, nullptr);
    thread_ = std::thread([this, program, end] { run(program, end); });
  }
  ~Sending() {
    is_stopped_ = true;
    while (!has_ended_) {
      (void)::pthread_kill(thread_.native_handle(), SIGUSR1);
      pause(0.001);
    }
    thread_.join();
  }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;

  // Why it has ended by itself.
  std::string error() const { return has_ended_ ? error_ : std::string(); }

 private:
  void run(int program, const FrameEnd& end) {
    const auto done = inside(end.netns_path, [&]() -> Result<void, std::string> {
      while (!is_stopped_) {
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame_.data(),
                    .data_size_in = static_cast<__u32>(frame_.size()), .repeat = INT32_MAX,
                    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = kBatch);
        const int code = bpf_prog_test_run_opts(program, &options);
        if (code != 0 && errno != EINTR) return fail(failure("run of live frames (Linux 5.18 is needed)"));
      }
      return {};
    });
    if (!done) error_ = done.error();
    has_ended_ = true;
  }

  Buffer frame_;
  std::string error_;
  std::atomic<bool> is_stopped_{false};
  std::atomic<bool> has_ended_{false};
  std::thread thread_;
};

Result<std::unique_ptr<FrameTraffic>, std::string> FrameTraffic::attach(const FrameEnd& clients,
                                                                        const FrameEnd& peers,
                                                                        std::size_t payload_bytes) {
  std::unique_ptr<FrameTraffic> traffic(new FrameTraffic(clients, peers, payload_bytes));
  if (auto loaded = traffic->load(); !loaded) return fail(loaded.error());
  for (const FrameEnd* end : {&clients, &peers}) {
    if (auto attached = traffic->attach_to(*end); !attached) return fail(attached.error());
  }
  return traffic;
}

// The maps go with the process.
FrameTraffic::~FrameTraffic() = default;

Result<void, std::string> FrameTraffic::load() {
  const Bytes elf = frames_object();
  object_.reset(bpf_object__open_mem(elf.data(), elf.size(), nullptr));
  if (!object_ || bpf_object__load(object_.get()) != 0) return fail(failure("the programs for frames"));
  const auto settings = map_shared<frame_settings>(object_.get(), "settings_map");
  const auto counts = map_shared<frame_counts>(object_.get(), "counts_map");
  outgoing_ = map_shared<frame_outgoing>(object_.get(), "outgoing_map");
  incoming_ = map_shared<frame_incoming>(object_.get(), "incoming_map");
  if (settings.empty() || counts.empty() || outgoing_.empty() || incoming_.empty())
    return fail(failure("mmap"));
  settings_ = settings.data();
  counts_ = counts.data();
  return {};
}

Result<void, std::string> FrameTraffic::attach_to(const FrameEnd& end) {
  return inside(end.netns_path, [&]() -> Result<void, std::string> {
    const bpf_program* program = bpf_object__find_program_by_name(object_.get(), "receive_frames");
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
    io::Fd link(bpf_link_create(bpf_program__fd(program),
                                static_cast<int>(if_nametoindex(end.device.c_str())), BPF_XDP, &options));
    if (!link) return fail(failure(fmt::format("XDP at {}", end.device).c_str()));
    links_.push_back(std::move(link));
    return {};
  });
}

const FrameEnd& FrameTraffic::sending_end(const PhasePlan& plan) const {
  return plan.direction == Direction::down ? peers_ : clients_;
}

Buffer FrameTraffic::template_frame(const PhasePlan& plan) const {
  const bool has_channel = plan.direction != Direction::down && outgoing_[0].channel_number != 0;
  const std::size_t header = kHeaderBytes + (has_channel ? kChannelHeaderBytes : 0);
  Buffer frame(header + payload_bytes_, 0);
  for (std::size_t i = FRAME_STAMP_BYTES; i < payload_bytes_; ++i)
    frame[header + i] = tail_byte(i - FRAME_STAMP_BYTES);
  return frame;
}

// Its own, and that of the server's end, which it is a neighbour of.
Result<void, std::string> FrameTraffic::read_hardware_addresses(const FrameEnd& end) {
  return inside(end.netns_path, [&]() -> Result<void, std::string> {
    const io::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    end.device.copy(request.ifr_name, IFNAMSIZ - 1);
    if (!socket || ::ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0)
      return fail(failure(end.device.c_str()));
    for (std::size_t i = 0; i < 6; ++i)
      settings_->source_mac[i] = static_cast<std::uint8_t>(request.ifr_hwaddr.sa_data[i]);
    settings_->out_interface = if_nametoindex(end.device.c_str());
    std::ifstream neighbours("/proc/thread-self/net/arp");
    std::string line;
    std::getline(neighbours, line);  // the head of the table
    while (std::getline(neighbours, line)) {
      std::istringstream fields(line);
      std::string ip, type, flags, address;
      fields >> ip >> type >> flags >> address;
      std::array<unsigned, 6> octets{};
      if (std::sscanf(address.c_str(), "%x:%x:%x:%x:%x:%x", &octets[0], &octets[1], &octets[2], &octets[3],
                      &octets[4], &octets[5]) != 6 ||
          flags == "0x0") {
        continue;
      }
      for (std::size_t i = 0; i < 6; ++i)
        settings_->destination_mac[i] = static_cast<std::uint8_t>(octets[i]);
      return {};
    }
    return fail(fmt::format("{} knows no neighbour", end.device));
  });
}

void FrameTraffic::describe_flows(const Bench& bench, const PhasePlan& plan) {
  const bool to_peers = plan.direction == Direction::up;
  for (std::size_t i = 0; i < bench.allocations.size(); ++i) {
    const Allocation& own = bench.allocations[i];
    const std::size_t receiver = plan.direction == Direction::across ? partner_of(i) : i;
    const Allocation& other = bench.allocations[receiver];
    const frame_outgoing from_client{htonl(own.client_ip),
                                     htonl(own.server.ip),
                                     htons(clients_.port),
                                     htons(own.server.port),
                                     htons(own.channel_number),
                                     0,
                                     0};
    const frame_outgoing from_peer{
        htonl(own.peer.ip), htonl(own.relayed.ip), htons(own.peer.port), htons(own.relayed.port), 0, 0, 0, 0};
    outgoing_[i] = plan.direction == Direction::down ? from_peer : from_client;
    const auto flow = static_cast<std::uint32_t>(i);
    const frame_incoming at_peer{htonl(own.relayed.ip), htons(own.relayed.port), 0, flow, 0, 0};
    const frame_incoming at_client{
        htonl(other.server.ip), htons(other.server.port), htons(other.channel_number), flow, 0, 0};
    incoming_[receiver] = to_peers ? at_peer : at_client;
  }
}

Result<void, std::string> FrameTraffic::prepare(const Bench& bench, const PhasePlan& plan) {
  const FrameEnd& receiving = plan.direction == Direction::up ? peers_ : clients_;
  describe_flows(bench, plan);
  frame_settings settings{};
  settings.start_ns = static_cast<std::uint64_t>(monotonic_seconds() * 1e9);
  settings.rate_pps = static_cast<std::uint64_t>(plan.rate_pps);
  settings.window = static_cast<std::uint32_t>(plan.window);
  settings.phase = ++phases_;
  settings.burst = static_cast<std::uint32_t>(plan.burst);
  settings.payload_bytes = static_cast<std::uint32_t>(payload_bytes_);
  settings.first_receiver_ip = receiving.first_ip;
  settings.receiver_port = htons(receiving.port);
  const std::size_t tail_bytes = payload_bytes_ - FRAME_STAMP_BYTES;
  for (std::size_t i = 0; i < tail_bytes; ++i) settings.tail[i] = tail_byte(i);
  settings.tail_sum = sum_of(Bytes(settings.tail, tail_bytes));
  std::memcpy(const_cast<frame_settings*>(settings_), &settings, sizeof settings);
  std::memset(const_cast<frame_counts*>(counts_), 0, sizeof(frame_counts));
  if (auto read = read_hardware_addresses(sending_end(plan)); !read) return read;
  settings_->flows = static_cast<std::uint32_t>(bench.allocations.size());
  last_received_ = 0;
  last_receipt_s_ = monotonic_seconds();
  return {};
}

void FrameTraffic::write_off_what_is_lost() {
  const std::uint64_t received = counts_->received;
  const double now_s = monotonic_seconds();
  if (received != last_received_) {
    last_received_ = received;
    last_receipt_s_ = now_s;
  } else if (now_s - last_receipt_s_ > kWindowStall_s) {
    settings_->written_off = counts_->sent - received;
    last_receipt_s_ = now_s;
  }
}

Result<PhaseResult, std::string> FrameTraffic::run_phase(const Bench& bench, const PhasePlan& plan) {
  if (auto prepared = prepare(bench, plan); !prepared) return fail(prepared.error());
  const bpf_program* program = bpf_object__find_program_by_name(object_.get(), "send_frames");
  PhaseResult result;
  {
    Sending sending(bpf_program__fd(program), sending_end(plan), template_frame(plan));
    const auto load_for = [&](double seconds) -> Result<void, std::string> {
      for (const double end_s = monotonic_seconds() + seconds; monotonic_seconds() < end_s;) {
        pause(std::min(kLook_s, std::max(1e-4, end_s - monotonic_seconds())));
        write_off_what_is_lost();
        if (const std::string error = sending.error(); !error.empty()) return fail(error);
      }
      return {};
    };
    if (auto load = load_for(plan.warm_up_s); !load) return fail(load.error());
    const auto before = sample_server_cpu(bench.server_pid, bench.server_core);
    if (!before) return fail(before.error());
    frame_counts at_start{};
    std::memcpy(&at_start, const_cast<const frame_counts*>(counts_), sizeof at_start);
    if (auto load = load_for(plan.measured_s); !load) return fail(load.error());
    frame_counts at_end{};
    std::memcpy(&at_end, const_cast<const frame_counts*>(counts_), sizeof at_end);
    const auto after = sample_server_cpu(bench.server_pid, bench.server_core);
    if (!after) return fail(after.error());
    result.cpu = server_cpu_between(*before, *after);
    result.sent = at_end.sent - at_start.sent;
    result.received = at_end.received - at_start.received;
    result.delays.add_between(at_start.delays, at_end.delays);
    settings_->halted = 1;
    drain();
  }
  result.counts = {counts_->sent,      counts_->received,  counts_->duplicated, counts_->corrupted,
                   counts_->misrouted, counts_->reordered, counts_->stale};
  return result;
}

void FrameTraffic::drain() {
  std::uint64_t received = counts_->received;
  for (double quiet_since_s = monotonic_seconds(); monotonic_seconds() - quiet_since_s < kDrain_s;) {
    pause(kLook_s);
    if (counts_->received != received) quiet_since_s = monotonic_seconds();
    received = counts_->received;
  }
}

}  // namespace offhook::bench
