#pragma once
// Asio and Beast, compiled once (asio.cc), and the loop's io_context. For io/http and its tests alone: nobody
// else includes Boost's network headers.

#ifndef BOOST_ASIO_SEPARATE_COMPILATION
#define BOOST_ASIO_SEPARATE_COMPILATION
#endif
#ifndef BOOST_BEAST_SEPARATE_COMPILATION
#define BOOST_BEAST_SEPARATE_COMPILATION
#endif
#ifndef BOOST_ASIO_NO_DEPRECATED
#define BOOST_ASIO_NO_DEPRECATED
#endif

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/address.h"
#include "io/http/control_loop.h"

namespace offhook::io {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct ControlLoop::Asio {
  asio::io_context context{1};  // one thread runs it; post() from others stays allowed
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::signal_set signals{context};
  std::function<void(int)> on_stop_signal;
  std::atomic<std::size_t> tasks_waiting{0};

  void await_signal();
};

// IPv4-mapped addresses become IPv4; a zone is dropped.
Address from_endpoint(const tcp::endpoint& endpoint);
tcp::endpoint to_endpoint(const Address& address);

}  // namespace offhook::io
