// What reaches a terminal from a file that a stranger made.
#include "tensor/text.h"

#include "tests/support/support.h"

namespace mini {
namespace {

using namespace std::string_literals;

TEST(Printable, KeepsText) {
  for (const char* text : {"", "plain", "ü × ∞ 中 𝄞", "back\\slash \\x1b"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatSteersATerminal) {
  EXPECT_EQ(printable("\x1b[2J\x07"), "\\x1b[2J\\x07");
  EXPECT_EQ(printable("a\r\nb\tc\0d\x7f"s), "a\\x0d\\x0ab\\x09c\\x00d\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b") << "the one-byte form of ESC [";
  EXPECT_EQ(printable("\u202e\u2028"), "\\xe2\\x80\\xae\\xe2\\x80\\xa8");
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(printable("\x9b"), "\\x9b");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\x80"), "\\xc0\\x80") << "overlong";
  EXPECT_EQ(printable("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "beyond Unicode";
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82") << "cut off";
}

TEST(Printable, EveryErrorIs) {
  const std::string text = test::error_of([] { fail("tensor \"\x1b]0;owned\x07\"\nerror: none"); });
  EXPECT_EQ(text, "tensor \"\\x1b]0;owned\\x07\"\\x0aerror: none");
  EXPECT_EQ(Error(text).what(), text) << "escaping twice changes nothing";
}

TEST(Printable, AnErrorHasABoundedLength) {
  const std::string name(10'000'000, 'x');
  const std::string text = test::error_of([&] { fail("tensor \"", name, "\" is no image"); });
  EXPECT_LT(text.size(), 5000U);
  EXPECT_TRUE(text.starts_with("tensor \"xxx") && text.ends_with("x\" is no image"));
}

}  // namespace
}  // namespace mini
