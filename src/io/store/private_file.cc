#include "io/store/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace offhook::io {
namespace {

// Keys, secrets and key sets are a few KiB; more is a mistaken path.
constexpr std::size_t kFileBytesLimit = 1024 * 1024;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

FileError file_error(const std::string& path, const char* verb, int error) {
  std::string message = std::string("cannot ") + verb + " " + path + ": " + std::strerror(error);
  if (error == EACCES || error == EPERM || error == EROFS) {
    const bool reading = std::string_view(verb) == "read";
    message += reading ? "; run as a user who may read it, or change its owner or mode"
                       : "; run as a user who may, or choose another directory with --state-dir";
  } else if (error == ENOENT) {
    message += "; check the path";
  } else if (error == ENOSPC) {
    message += "; free some space on that file system";
  }
  return {path, error, message};
}

Result<void, FileError> make_directory_of(const std::string& path) {
  const std::filesystem::path directory = std::filesystem::path(path).parent_path();
  if (directory.empty()) return {};
  std::error_code error;
  const bool created = std::filesystem::create_directories(directory, error);
  if (error) return fail(file_error(directory.string(), "create", error.value()));
  if (created && chmod(directory.c_str(), S_IRWXU) != 0)
    return fail(file_error(directory.string(), "protect", errno));
  return {};
}

}  // namespace

Result<std::string, FileError> read_file(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return fail(file_error(path, "read", errno));
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t got = read(file.get(), chunk, sizeof chunk);
    if (got < 0) return fail(file_error(path, "read", errno));
    if (got == 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
    if (text.size() > kFileBytesLimit) return fail(file_error(path, "read", EFBIG));
  }
}

Result<void, FileError> write_private_file(const std::string& path, std::string_view text) {
  if (auto made = make_directory_of(path); !made) return made;
  const std::string fresh = path + ".new";
  {
    const Descriptor file(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (file.get() < 0) return fail(file_error(fresh, "write", errno));
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t wrote = write(file.get(), text.data() + done, text.size() - done);
      if (wrote < 0) return fail(file_error(fresh, "write", errno));
      done += static_cast<std::size_t>(wrote);
    }
    if (fsync(file.get()) != 0) return fail(file_error(fresh, "write", errno));
  }
  if (rename(fresh.c_str(), path.c_str()) != 0) return fail(file_error(path, "replace", errno));
  return {};
}

Result<void, FileError> remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return fail(file_error(path, "remove", errno));
  return {};
}

bool file_exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::uint64_t file_version(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return 0;
  // The time of change moves with content, owner, mode and name; nobody can set it back, as he can that of
  // modification.
  const auto seconds = static_cast<std::uint64_t>(status.st_ctim.tv_sec);
  const auto fraction = static_cast<std::uint64_t>(status.st_ctim.tv_nsec);
  // The size tells two writes within one step of the file system's clock apart, mostly.
  return (seconds * 1000000000ULL + fraction) ^ (static_cast<std::uint64_t>(status.st_ino) << 1U) ^
         (static_cast<std::uint64_t>(status.st_size) << 40U);
}

}  // namespace offhook::io
