// The structure of the project: includes point one way, and files stay readable.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace {
namespace fs = std::filesystem;

const fs::path root = MINI_SOURCE_DIR;

// The layers that each layer may include, besides itself.
const std::map<std::string, std::vector<std::string>> allowed = {
    {"tensor", {}},
    {"io", {"tensor"}},
    {"ops", {"tensor"}},
    {"autograd", {"tensor", "ops"}},
    {"nn", {"tensor", "ops", "autograd"}},
    {"models", {"tensor", "ops", "autograd", "nn"}},
    {"train", {"tensor", "io", "ops", "autograd", "nn", "models"}},
    {"tools", {"tensor", "io", "ops", "autograd", "nn", "models", "train"}},
};

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Visit>
void for_each_source(const fs::path& folder, const Visit& visit) {
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string extension = entry.path().extension();
    if (extension == ".h" || extension == ".cpp" || extension == ".cu" || extension == ".inc")
      visit(entry.path(), read(entry.path()));
  }
}

TEST(Structure, IncludesPointOneWay) {
  const std::regex include("#include \"([a-z]+)/");
  std::size_t seen = 0;
  for (const auto& entry : allowed) {
    const std::string& layer = entry.first;
    const auto& lower = entry.second;
    for_each_source(root / layer, [&](const fs::path& path, const std::string& text) {
      for (auto match = std::sregex_iterator(text.begin(), text.end(), include);
           match != std::sregex_iterator(); ++match) {
        const std::string target = (*match)[1];
        ++seen;
        EXPECT_TRUE(target == layer || std::find(lower.begin(), lower.end(), target) != lower.end())
            << path << " includes " << target << "/, which lies above " << layer << "/";
      }
    });
  }
  EXPECT_GT(seen, 100u);
}

TEST(Structure, FilesStayReadable) {
  for (const auto& [layer, lower] : allowed) {
    for_each_source(root / layer, [&](const fs::path& path, const std::string& text) {
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 450) << path;
      EXPECT_EQ(text.find('\t'), std::string::npos) << path << " has tabs";
    });
  }
}

}  // namespace
