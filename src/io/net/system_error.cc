#include "io/net/system_error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace offhook::io {
namespace {

std::string hint_for(int code, unsigned port) {
  const std::string number = std::to_string(port);
  switch (code) {
    case EADDRINUSE:
      return "see which program has it: ss -lunpt | grep :" + number +
             "; stop that one, or choose another port (--port)";
    case EACCES:
    case EPERM:
      if (port == 0 || port >= 1024) return "";
      return "ports below 1024 need the right to bind them: setcap cap_net_bind_service=+ep on the binary, "
             "AmbientCapabilities=CAP_NET_BIND_SERVICE in its systemd unit, or a higher port";
    case EADDRNOTAVAIL:
      return "this machine has no such address: ip address";
    case EAFNOSUPPORT:
      return "the kernel has this address family switched off";
    case EMFILE:
      return "raise the limit of open files: ulimit -n, or LimitNOFILE= in the systemd unit";
    case ENFILE:
      return "raise the machine's limit of open files: sysctl fs.file-max";
    default:
      return "";
  }
}

std::string cause_of(int code, unsigned port) {
  if (code == EADDRINUSE && port != 0) return "port " + std::to_string(port) + " is in use";
  return std::strerror(code);
}

}  // namespace

std::string SystemError::text() const {
  std::string line = what + ": " + cause;
  if (!hint.empty()) line += "; " + hint;
  return line;
}

SystemError system_error(std::string what, int code, unsigned port) {
  return {code, std::move(what), cause_of(code, port), hint_for(code, port)};
}

}  // namespace offhook::io
