// The options of a network that its weights do not tell, such as the range of its values: some files
// state them beside the weights, others must be told them, and what nobody says is assumed.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/tensor_file.h"
#include "models/registry.h"

namespace mini::infer {

// Option -> value, as text.
using Stated = std::map<std::string, std::string>;

// What a file states: the network's part of the configuration in a checkpoint of mini_train, or
// metadata under an option's name or that of BasicSR (img_range, res_scale, upscale).
Stated stated_options(const io::TensorFile& file);

struct RecognisedNetwork {
  models::NetworkConfig config;
  std::vector<std::string> assumed;  // "range 255": what neither weights nor anybody else told
};
// The network of such weights. Of `stated`, only what weights do not tell is taken. `given` comes
// first; a name there that is no such option is an Error. Throws for weights of no network.
RecognisedNetwork recognise_network(const nn::StateDict& state, const Stated& stated,
                                    const Stated& given = {});
// "range=255" as such an option.
Stated parse_options(const std::vector<std::string>& assignments);

}  // namespace mini::infer
