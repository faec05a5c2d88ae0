// The suites of other projects, in the folder that MINI_SUITES names: every file with a FILE.ppm beside it
// is read as that, every one with a FILE.refused is refused (tests/io/suites.py makes both). Prints a table of
// them, which docs/suites.md keeps.
#include <cstdlib>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "io/image.h"
#include "tests/support/support.h"

namespace mini::io {
namespace {
namespace fs = std::filesystem;

TEST(Suites, FilesAreReadAsTheirReferences) {
  const char* folder = std::getenv("MINI_SUITES");
  if (folder == nullptr) GTEST_SKIP() << "MINI_SUITES names no folder of suites";
  int read = 0, refused = 0;
  std::map<std::string, std::string> rows;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path path = entry.path(), file = fs::path(path).replace_extension();
    if (path.extension() == ".refused" && fs::exists(file)) {
      EXPECT_THROW(read_image(file), Error) << file;
      rows[file.lexically_relative(folder).string()] = "refused, as by ImageMagick";
      ++refused;
    } else if (path.extension() == ".ppm" && has_image_name(file) && fs::exists(file)) {
      const Tensor image = read_image(file);
      const bool equal = test::equal_bits(image, read_image(path));
      EXPECT_TRUE(equal) << file;
      rows[file.lexically_relative(folder).string()] =
          concat_text(image.size(1), "×", image.size(0), equal ? ", equal" : ", different");
      ++read;
    }
  }
  EXPECT_GT(read, 0) << folder << " holds no references";
  for (const auto& [file, result] : rows) std::cout << "| " << file << " | " << result << " |\n";
  std::cout << read << " files read, " << refused << " refused\n";
}

}  // namespace
}  // namespace mini::io
