// An HTTP server on loopback that answers every request with `body`, and fails as the first part of the URL
// says: /good/…, /missing/… (404), /corrupt/… (a bit changed), /truncate/… (half), /stall/… (half, then
// silence), /trickle/… (150 bytes per second), /redirect/… (to itself).
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "tensor/check.h"
#include "tests/catch.h"

class Server {
 public:
  explicit Server(std::string body) : body_(std::move(body)) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0);
    REQUIRE(listen(socket_, 8) == 0);
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  std::string mirror(const std::string& kind) const {
    return fmt::format("http://127.0.0.1:{}/{}/", port_, kind);
  }
  int requests() const { return requests_; }

 private:
  void serve() {
    for (int client; (client = accept(socket_, nullptr, nullptr)) >= 0; close(client)) {
      ++requests_;
      std::string request(4096, '\0');
      request.resize(
          static_cast<std::size_t>(std::max<ssize_t>(0, read(client, request.data(), request.size()))));
      const auto asks = [&](const char* kind) { return request.starts_with(fmt::format("GET /{}/", kind)); };
      std::string body = body_;
      if (asks("corrupt")) body[body.size() / 2] = static_cast<char>(body[body.size() / 2] ^ 1);
      std::string answer =
          asks("missing") ? "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
          : asks("redirect")
              ? "HTTP/1.1 302 Found\r\nLocation: " + mirror("redirect") + "x\r\nContent-Length: 0\r\n\r\n"
              : fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.size()) +
                    (asks("truncate") || asks("stall") ? body.substr(0, body.size() / 2) : body);
      for (std::size_t sent = 0; sent < answer.size();) {
        const std::size_t most = asks("trickle") ? 15 : answer.size();
        const ssize_t n =
            send(client, answer.data() + sent, std::min(most, answer.size() - sent), MSG_NOSIGNAL);
        if (asks("trickle")) usleep(100'000);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      char byte;
      if (asks("stall")) [[maybe_unused]]
        const ssize_t until_the_client_gives_up = read(client, &byte, 1);
    }
  }

  std::string body_;
  int socket_ = -1, port_ = 0;
  std::atomic<int> requests_ = 0;
  std::thread thread_;
};
