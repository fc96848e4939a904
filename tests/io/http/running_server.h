#pragma once
// A ControlLoop on a thread of its own, and an HttpServer on a free loopback port.

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <thread>

#include "io/http/http_server.h"

namespace offhook::testing {

class RunningServer {
 public:
  explicit RunningServer(io::HttpServerSettings settings = {})
      : server_(std::make_unique<io::HttpServer>(loop_, std::move(settings))) {}
  ~RunningServer() { stop(); }

  io::ControlLoop& loop() { return loop_; }
  io::HttpServer& server() { return *server_; }
  const Address& address() const { return address_; }

  // After the routes are registered.
  void start() {
    const auto bound = server_->listen({Ip::v4(0x7F000001), 0});
    ASSERT_TRUE(bound) << bound.error().message;
    address_ = *bound;
    thread_ = std::thread([this] { loop_.run(); });
  }
  // Runs `work` on the loop's thread and waits for it.
  template <typename Work>
  auto on_loop(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    EXPECT_TRUE(loop_.post([&task] { task(); }));
    return result.get();
  }
  void destroy_server() {
    on_loop([this] { server_.reset(); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }

 private:
  io::ControlLoop loop_;
  std::unique_ptr<io::HttpServer> server_;
  Address address_;
  std::thread thread_;
};

// The answer to a question that another thread settles, once.
template <typename T>
class Settled {
 public:
  void set(T value) { promise_.set_value(std::move(value)); }
  T get() { return future_.get(); }

 private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
};

}  // namespace offhook::testing
