// KeyTable: two spellings of the names in state dicts, for networks that several projects publish.
//
//   KeyTable({{"head.0", "conv_first"}, {"body.#.body.0", "body.#.conv1"}})
//
// says that our "body.3.body.0.weight" is their "body.3.conv1.weight". Each row is the beginning of
// names, up to a dot; # stands for a number, and the numbers come in the same order in both. The
// first row that fits counts; a name that no row fits is spelled alike.
#pragma once

#include <string>
#include <vector>

#include "nn/module.h"

namespace mini::nn {

class KeyTable {
 public:
  struct Row {
    std::string ours, theirs;
  };
  explicit KeyTable(std::vector<Row> rows) : rows_(std::move(rows)) {}

  std::string to_ours(const std::string& name) const;
  std::string to_theirs(const std::string& name) const;
  StateDict to_ours(const StateDict& state) const;

 private:
  std::vector<Row> rows_;
};

}  // namespace mini::nn
