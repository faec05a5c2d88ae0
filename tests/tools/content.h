// What a file holds, as text.
#pragma once

#include <filesystem>
#include <string>

#include "io/file.h"

namespace mini {

inline std::string content(const std::filesystem::path& path) {
  const io::Bytes bytes = io::read_file(path);
  return std::string(io::as_text(bytes));
}

}  // namespace mini
