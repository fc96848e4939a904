#pragma once

#include <fmt/format.h>

#include <string>

#include "base/result.h"
#include "cmd/exit_status.h"
#include "service/credentials/minting.h"

namespace offhook::cmd {

// The text to standard output, notes and errors to standard error. Returns the exit status.
inline int print_minted(const Result<service::Minted, std::string>& outcome) {
  if (!outcome) {
    fmt::print(stderr, "offhook: {}\n", outcome.error());
    return kFoundSomethingWrong;
  }
  if (!outcome->note.empty()) fmt::print(stderr, "offhook: {}\n", outcome->note);
  fmt::print("{}", outcome->text);
  return kGood;
}

}  // namespace offhook::cmd
