#include "io/fastpath/route_program.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include "io/fastpath/libbpf_words.h"
#include "io/fastpath/route_object.h"

namespace offhook::io {
namespace {

using route_abi::route_account;
using route_abi::route_limits;

constexpr std::array<const char*, 5> kMaps = {"routes", "accounts", "reasons", "interfaces",
                                              ".rodata.limits"};

const char* program_name(RouteHook hook) {
  switch (hook) {
    case RouteHook::xdp:
      return "offhook_xdp";
    case RouteHook::tc:
      return "offhook_tc";
  }
  return "";
}

std::size_t account_bytes(std::size_t count) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return (count * sizeof(route_account) + page - 1) / page * page;
}

}  // namespace

const char* name(route_abi::route_reason reason) {
  switch (reason) {
#define OFFHOOK_REASON(name, verdict) \
  case route_abi::route_##name:       \
    return #name;
    OFFHOOK_ROUTE_REASONS(OFFHOOK_REASON)
#undef OFFHOOK_REASON
    case route_abi::route_reason_count:
      break;
  }
  return "";
}

Result<std::unique_ptr<RouteProgram>, std::string> RouteProgram::load(RouteHook hook,
                                                                      const RouteProgramSettings& settings) {
  const LibbpfWords words;
  std::unique_ptr<RouteProgram> program(new RouteProgram(hook));
  if (!program->set_up(settings))
    return fail(words.why_not_loaded(
        errno, {"CAP_BPF CAP_NET_ADMIN", "ask for fewer channels (--fast-path-channels)"}));
  return program;
}

bool RouteProgram::set_up(const RouteProgramSettings& settings) {
  const Bytes elf = route_object();
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "offhook");
  object_.reset(bpf_object__open_mem(elf.data(), elf.size(), &options));
  if (!object_) return false;
  bpf_object* object = object_.get();
  bpf_program* each = nullptr;
  bpf_object__for_each_program(each, object) {
    if (bpf_program__set_autoload(each, std::strcmp(bpf_program__name(each), program_name(hook_)) == 0) != 0)
      return false;
  }
  const route_limits limits{settings.listen_port, settings.relay_port_first, settings.relay_port_last, 0};
  bpf_map* constants = bpf_object__find_map_by_name(object, ".rodata.limits");
  std::size_t constant_bytes = 0;
  (void)bpf_map__initial_value(constants, &constant_bytes);
  assert(constant_bytes == sizeof limits);
  if (bpf_map__set_initial_value(constants, &limits, sizeof limits) != 0) return false;
  const auto sized = [&](const char* map, std::uint32_t entries) {
    return bpf_map__set_max_entries(bpf_object__find_map_by_name(object, map), entries) == 0;
  };
  if (!sized("routes", settings.channels * 2) || !sized("accounts", settings.accounts)) return false;
  return bpf_object__load(object) == 0 && map_accounts(settings.accounts);
}

bool RouteProgram::map_accounts(std::uint32_t count) {
  void* mapped =
      mmap(nullptr, account_bytes(count), PROT_READ | PROT_WRITE, MAP_SHARED, fd_of("accounts"), 0);
  if (mapped == MAP_FAILED) return false;
  accounts_ = {static_cast<route_account*>(mapped), count};
  return true;
}

RouteProgram::~RouteProgram() {
  if (!accounts_.empty()) (void)munmap(accounts_.data(), account_bytes(accounts_.size()));
}

int RouteProgram::program_fd() const {
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), program_name(hook_)));
}

int RouteProgram::fd_of(const char* map) const {
  return bpf_map__fd(bpf_object__find_map_by_name(object_.get(), map));
}

std::uint64_t RouteProgram::count(route_abi::route_reason reason) const {
  std::vector<std::uint64_t> of_cores(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const auto index = static_cast<std::uint32_t>(reason);
  if (bpf_map_lookup_elem(fd_of("reasons"), &index, of_cores.data()) != 0) return 0;
  std::uint64_t sum = 0;
  for (const std::uint64_t of_core : of_cores) sum += of_core;
  return sum;
}

// The kernel tells it of each map's descriptor.
std::uint64_t RouteProgram::map_bytes() const {
  std::uint64_t sum = 0;
  for (const char* map : kMaps) {
    std::ifstream facts(fmt::format("/proc/self/fdinfo/{}", fd_of(map)));
    std::string key;
    std::uint64_t value = 0;
    while (facts >> key) {
      if (key == "memlock:" && facts >> value) sum += value;
    }
  }
  return sum;
}

}  // namespace offhook::io
