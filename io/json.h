// JSON from strangers: nlohmann's parser with limits, in time that grows with the text and no faster.
//
// Refused, with an Error: a key given twice in one object, nesting beyond `max_depth`, anything
// after the value, a zero byte (at which nlohmann takes the text to end), and any text that is not JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace mini::io {

enum class JsonComments : bool { refused, ignored };

nlohmann::json parse_json(std::string_view text, std::size_t max_depth,
                          JsonComments comments = JsonComments::refused);

}  // namespace mini::io
