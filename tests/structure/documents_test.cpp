// What the documents say about the code is true: links lead somewhere, listings are quoted word for
// word, and the files, tests and functions that they name exist.
//
// A C++ listing in a document begins with ```cpp FILE. Lines of "..." divide it into parts; each
// part must be found in that file, in this order, with any indentation. A listing that begins with
// ```cpp example is not taken from a file.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {
namespace fs = std::filesystem;

const fs::path root = MINI_SOURCE_DIR;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> documents() {
  std::vector<fs::path> result{root / "README.md"};
  for (const auto& entry : fs::directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") result.push_back(entry.path());
  return result;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Calls visit(first capture) for every match.
template <class Visit>
void for_each_match(const std::string& text, const std::regex& pattern, const Visit& visit) {
  for (auto match = std::sregex_iterator(text.begin(), text.end(), pattern);
       match != std::sregex_iterator(); ++match)
    visit((*match)[1].str());
}

struct Listing {
  std::string language, source;    // as in ```language source
  std::vector<std::string> lines;  // without the indentation of the fence
};

std::vector<Listing> listings(const std::string& document) {
  const std::regex fence(R"(^( *)```(\S*) *(\S*)$)");
  std::vector<Listing> result;
  bool inside = false;
  std::size_t indentation = 0;
  for (const std::string& line : lines_of(document)) {
    std::smatch match;
    if (std::regex_match(line, match, fence)) {
      inside = !inside;
      indentation = match[1].str().size();
      if (inside) result.push_back({match[2], match[3], {}});
    } else if (inside) {
      result.back().lines.push_back(line.substr(std::min(indentation, line.size())));
    }
  }
  return result;
}

// Removes the indentation that all lines share.
std::vector<std::string> shifted_left(std::vector<std::string> lines) {
  std::size_t shared = std::string::npos;
  for (const std::string& line : lines)
    shared = std::min(shared, line.find_first_not_of(' '));  // npos of an empty line is the largest
  for (std::string& line : lines)
    if (!line.empty()) line = line.substr(shared);
  return lines;
}

// The line of `file`, from line `from` on, where `part` begins; the number of lines if there is
// none.
std::size_t find_lines(const std::vector<std::string>& file, const std::vector<std::string>& part,
                       std::size_t from) {
  for (std::size_t i = from; i + part.size() <= file.size(); ++i) {
    const auto first = file.begin() + static_cast<std::ptrdiff_t>(i);
    if (shifted_left({first, first + static_cast<std::ptrdiff_t>(part.size())}) == part) return i;
  }
  return file.size();
}

TEST(Documents, LinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#:\s]+)(#[^)]*)?\))");
  for (const fs::path& document : documents()) {
    const std::string text = read(document);
    ASSERT_FALSE(text.empty()) << document;
    for_each_match(text, link, [&](const std::string& target) {
      EXPECT_TRUE(fs::exists(document.parent_path() / target))
          << document << " links to " << target;
    });
  }
}

TEST(Documents, QuoteTheCodeWordForWord) {
  std::size_t quoted = 0;
  for (const fs::path& document : documents())
    for (const Listing& listing : listings(read(document))) {
      if (listing.language != "cpp" || listing.source == "example") continue;
      ASSERT_FALSE(listing.source.empty())
          << document
          << ": a listing must say which file it quotes (```cpp FILE), or ```cpp example";
      ++quoted;
      const std::vector<std::string> file = lines_of(read(root / listing.source));
      ASSERT_FALSE(file.empty()) << document << " quotes " << listing.source;
      std::vector<std::string> part;
      std::size_t from = 0;
      const auto look_for_part = [&] {
        if (part.empty()) return;
        from = find_lines(file, shifted_left(part), from);
        EXPECT_LT(from, file.size()) << document << ": this is not in " << listing.source << ":\n"
                                     << part.front() << "\n...";
        from = std::min(from + part.size(), file.size());
        part.clear();
      };
      for (const std::string& line : listing.lines) {
        if (line.find_first_not_of(' ') != std::string::npos &&
            line.substr(line.find_first_not_of(' ')) == "...")
          look_for_part();
        else
          part.push_back(line);
      }
      look_for_part();
    }
  EXPECT_GT(quoted, 5u);
}

TEST(Documents, NameFilesThatExist) {
  // Code in backticks that looks like a path inside one of the project's folders.
  const std::regex path(
      R"(`((?:autograd|configs|data/photos|docs|infer|io|models|nn|ops|tensor|tests|tools|train)/[\w./]*)`)");
  std::size_t named = 0;
  for (const fs::path& document : documents())
    for_each_match(read(document), path, [&](const std::string& name) {
      ++named;
      EXPECT_TRUE(fs::exists(root / name)) << document << " names " << name;
    });
  EXPECT_GT(named, 20u);
}

TEST(Documents, NameTestsAndFunctionsThatExist) {
  std::set<std::string> suites, rows;
  for (const auto& entry : fs::recursive_directory_iterator(root / "tests"))
    if (entry.path().extension() == ".cpp")
      for_each_match(read(entry.path()),
                     std::regex(R"((?:TEST|TEST_F|TEST_P|INSTANTIATE_TEST_SUITE_P)\((\w+),)"),
                     [&](const std::string& suite) { suites.insert(suite); });
  for (const auto& entry : fs::directory_iterator(root / "tools" / "mini_gradcheck"))
    for_each_match(read(entry.path()), std::regex("\"([a-z0-9_]+)\""),
                   [&](const std::string& row) { rows.insert(row); });
  std::size_t named = 0;
  for (const fs::path& document : documents()) {
    const std::string text = read(document);
    for_each_match(
        text, std::regex(R"(--gtest_filter='?([^'\s]+)'?)"), [&](const std::string& filter) {
          for_each_match(filter, std::regex(R"(\*?([^:.*]+)[^:]*)"), [&](const std::string& name) {
            ++named;
            EXPECT_TRUE(std::any_of(
                suites.begin(), suites.end(),
                [&](const std::string& suite) { return suite.find(name) != std::string::npos; }))
                << document << " runs the tests " << name;
          });
        });
    for_each_match(text, std::regex(R"(--op (\w+))"), [&](const std::string& op) {
      ++named;
      EXPECT_TRUE(rows.count(op) == 1) << document << " checks the function " << op;
    });
  }
  EXPECT_GT(named, 10u);
}

}  // namespace
