// Files of weights that tests put together byte by byte.
#pragma once

#include <string>
#include <string_view>

#include "io/file.h"
#include "io/zip.h"
#include "tests/support/support.h"

namespace mini::io::test_files {

inline void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "\"" << text << "\" lacks \"" << part << "\"";
}

inline Bytes bytes_of(std::string_view text) {
  const auto bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

// What torch.save would put around a pickle and the storages "0", "1", ...
inline Bytes torch_zip(std::string_view program, const std::vector<std::string>& storages = {}) {
  std::map<std::string, Bytes> entries{{"archive/data.pkl", bytes_of(program)}};
  for (std::size_t i = 0; i < storages.size(); ++i)
    entries["archive/data/" + std::to_string(i)] = bytes_of(storages[i]);
  return write_zip(entries);
}

// Of a pickle: a tensor of `count` (one digit) floats that fills storage `key`.
inline std::string tensor_program(const std::string& key = "0", char count = 2) {
  const std::string number = {'K', count};
  return "ctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU" +
         std::string(1, static_cast<char>(key.size())) + key + "U\3cpu" + number + "tQK" +
         std::string(1, '\0') + number + "\x85K\1\x85\x89)tR";
}

}  // namespace mini::io::test_files
