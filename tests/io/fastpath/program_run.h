#pragma once
// One packet through the kernel program, by the kernel's own test facility (BPF_PROG_TEST_RUN).

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <optional>

#include "base/bytes.h"
#include "io/fastpath/route_program.h"

namespace offhook::test {

struct RunResult {
  std::uint32_t verdict = 0;
  Buffer out;
};

// Set where a row needs them.
struct RunContext {
  std::uint32_t interface_index = 0;  // XDP: where it came in; 0: the loopback interface
  std::uint32_t metadata_bytes = 0;   // XDP: of headroom that something else has taken
  std::uint32_t segments = 0;         // TC: merged by receive offload
};

inline std::optional<RunResult> run_program(const io::RouteProgram& program, io::RouteHook hook,
                                            const Buffer& in, const RunContext& context = {}) {
  Buffer data(context.metadata_bytes);
  data.insert(data.end(), in.begin(), in.end());
  Buffer out(4096);
  LIBBPF_OPTS(bpf_test_run_opts, options);
  options.data_in = data.data();
  options.data_size_in = static_cast<std::uint32_t>(data.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<std::uint32_t>(out.size());
  options.repeat = 1;
  xdp_md xdp{};
  __sk_buff skb{};
  if (hook == io::RouteHook::xdp && (context.interface_index != 0 || context.metadata_bytes != 0)) {
    xdp.ingress_ifindex = context.interface_index;
    xdp.data = context.metadata_bytes;
    xdp.data_end = options.data_size_in;
    options.ctx_in = &xdp;
    options.ctx_size_in = sizeof xdp;
  }
  if (hook == io::RouteHook::tc && context.segments != 0) {
    skb.gso_segs = context.segments;
    skb.gso_size = 100;
    options.ctx_in = &skb;
    options.ctx_size_in = sizeof skb;
  }
  if (bpf_prog_test_run_opts(program.program_fd(), &options) != 0) return std::nullopt;
  out.resize(options.data_size_out);
  return RunResult{options.retval, Buffer(out.begin() + context.metadata_bytes, out.end())};
}

}  // namespace offhook::test
