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
    {"infer", {"tensor", "io", "ops", "autograd", "nn", "models"}},
    {"train", {"tensor", "io", "ops", "autograd", "nn", "models", "infer"}},
    {"tools", {"tensor", "io", "ops", "autograd", "nn", "models", "infer", "train"}},
};

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

template <class Visit>
void for_each_source(const fs::path& folder, const Visit& visit) {
  if (fs::is_regular_file(folder)) return visit(folder, read(folder));
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

// Files of `folder` whose text has a match, other than those whose path begins with an exception.
std::vector<std::string> with(const std::regex& pattern, const std::string& folder,
                              const std::vector<std::string>& exceptions = {}) {
  std::vector<std::string> found;
  for_each_source(root / folder, [&](const fs::path& path, const std::string& text) {
    const std::string name = path.lexically_relative(root);
    const bool excepted =
        std::any_of(exceptions.begin(), exceptions.end(),
                    [&](const std::string& exception) { return name.starts_with(exception); });
    if (!excepted && std::regex_search(text, pattern)) found.push_back(name);
  });
  return found;
}

const std::vector<std::string> none;

TEST(Structure, NetworksAreKnownByTheRegistryAlone) {
  const std::regex concrete("#include \"models/(sain|irn|tri|upscale|car|hcflow|grain|stylegan2)/");
  EXPECT_EQ(
      with(concrete, "models",
           {"models/registry.cpp", "models/sain/", "models/irn/", "models/tri/", "models/upscale/",
            "models/car/", "models/hcflow/", "models/grain/", "models/stylegan2/", "models/psp/"}),
      none);
  for (const char* folder : {"infer", "train", "tools"}) {
    EXPECT_EQ(with(concrete, folder, {"train/recipes/"}), none);  // some train one network alone
    EXPECT_EQ(with(std::regex("\"(sain|irn|tsain|tirn|car|hcflow|srcnn|edsr|rdn|rcan|rrdb|compact|"
                              "grain|stylegan2)\""),
                   folder, {"train/recipes/"}),
              none);
  }
  EXPECT_EQ(with(std::regex("#include \"models/"), "models/rescaler.h"), none);
}

TEST(Structure, TheLoopKnowsNoNetworkAndNoRecipe) {
  for (const char* part : {"trainer", "step", "pass"})
    for (const char* extension : {".h", ".cpp"})
      EXPECT_EQ(with(std::regex("#include \"(models/|train/recipes/)"),
                     std::string("train/") + part + extension),
                none);
  EXPECT_EQ(
      with(std::regex("#include \"train/recipes/"), "train", {"train/recipes/", "train/config.h"}),
      none);
}

TEST(Structure, InferenceKnowsNoTraining) {
  for (const char* part : {"tools/mini_infer", "tools/mini_infer.cpp"})
    EXPECT_EQ(with(std::regex("#include \"train/"), part), none);
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
