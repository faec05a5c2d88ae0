// JSON with limits, in linear time.
#include "io/json.h"

#include <nlohmann/json.hpp>

#include "tests/io/archives.h"

namespace mini::io {
namespace {

using namespace std::string_literals;
using namespace test_files;
using nlohmann::json;

std::string error_for(const std::string& text) {
  return test::error_of([&] { parse_json(text, 4); });
}

TEST(Json, ReadsAsNlohmannDoes) {
  for (const char* text :
       {"null", "true", "-3", "18446744073709551615", "2.5e-3", "\"\\u00fc\\n\"", "[]", "{}",
        R"({"a": [1, {"b": [], "c": {}}, "x"], "d": {"e": null, "f": false}})", "[[1,2],[3,[4]]]"})
    EXPECT_EQ(parse_json(text, 4), json::parse(text)) << text;
  EXPECT_EQ(parse_json("/* x */ [1] // y", 4, JsonComments::ignored), json::parse("[1]"));
}

TEST(Json, RefusesWhatIsNotExactlyOneValue) {
  expect_contains(error_for(""), "parse error");
  expect_contains(error_for("{} {}"), "parse error");
  expect_contains(error_for("[1,]"), "parse error");
  expect_contains(error_for("[1] // comment"), "parse error");
  expect_contains(error_for("\"\xff\""), "UTF-8");
  expect_contains(error_for("1e999"), "overflow");
  expect_contains(error_for("{}\0garbage"s), "zero byte at place 2");
  expect_contains(error_for(R"({"a":{"b":1,"c":2,"b":3}})"), R"(key "b" appears twice)");
  expect_contains(error_for("[[[[[]]]]]"), "deeper than 4");
  expect_contains(error_for(std::string(1'000'000, '[')), "deeper than 4");
  EXPECT_LT(error_for("\"" + std::string(1'000'000, 'x')).size(), 1000U);
}

TEST(Json, TimeGrowsWithTheTextAlone) {
  // 1 MB of lists in a list, of objects in an object.
  std::string lists = "[[]", objects = "{\"0\":{}";
  for (int i = 1; i < 300'000; ++i) lists += ",[]";
  for (int i = 1; i < 80'000; ++i) objects += concat_text(",\"", i, "\":{}");
  const double start = test::cpu_seconds();
  EXPECT_EQ(parse_json(lists + "]", 4).size(), 300'000U);
  EXPECT_EQ(parse_json(objects + "}", 4).size(), 80'000U);
  EXPECT_LT(test::cpu_seconds() - start, 3 * test::time_factor);
}

}  // namespace
}  // namespace mini::io
