// Text that a stranger may have written, made fit for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mini {

// The text on one line that cannot steer a terminal: control characters (line breaks are some),
// marks that turn the direction of writing, and bytes that are not UTF-8 become escapes such as
// \x1b. What has been escaped stays as it is. Every Error's text goes through it; a table of names
// must, too.
std::string printable(std::string_view text);
// The same; of a text beyond `most` bytes the middle is left out.
std::string printable(std::string_view text, std::size_t most);

}  // namespace mini
