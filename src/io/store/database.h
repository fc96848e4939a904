#pragma once
// SQLite as values: the only code that calls it.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace offhook::io {

struct DatabaseError {
  int code = 0;  // SQLite's primary code
  std::string message;
};

// A prepared statement. Parameters count from 1, columns from 0.
class Statement {
 public:
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
  void bind(int parameter, std::string_view text);
  void bind(int parameter, std::int64_t number);
  // True: a row is there. False: done.
  Result<bool, DatabaseError> step();
  // For the next use; parameters keep their values.
  void reset();
  std::string text(int column) const;
  std::int64_t number(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { (void)sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

class Database {
 public:
  static Result<Database, DatabaseError> open(const std::string& path);
  Result<Statement, DatabaseError> prepare(std::string_view sql);
  // A statement, or several, without a result.
  Result<void, DatabaseError> run(const std::string& sql);
  // The one number that `sql` gives.
  Result<std::int64_t, DatabaseError> number(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* handle) const { (void)sqlite3_close_v2(handle); }
  };
  explicit Database(sqlite3* handle) : handle_(handle) {}
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace offhook::io
