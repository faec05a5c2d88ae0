// RRDBNet against the official implementation: outputs and all gradients.
#include "models/upscale/rrdb_net.h"

#include "tests/golden/group.h"

namespace mini {
namespace {

using test::GoldenGroup;
using GoldenRrdb = test::GoldenTest;

TEST_P(GoldenRrdb, MatchesTheOfficialImplementation) {
  Generator generator{1};
  const std::pair<const char*, std::int64_t> groups[] = {
      {"o4", 4}, {"b4", 4}, {"b2", 2}, {"b1", 1}};
  for (const auto& [group, scale] : groups) {
    const GoldenGroup golden("rrdb", group, GetParam());
    models::RrdbNet net({.scale = scale,
                         .blocks = golden.number("nb"),
                         .features = golden.number("nf"),
                         .growth = golden.number("gc")},
                        generator);
    const nn::KeyTable table = models::RrdbNet::esrgan_keys();
    const bool is_esrgans = group[0] == 'o';
    const auto spelling = [&](const std::string& name) {
      return is_esrgans ? table.to_theirs(name) : name;
    };
    golden.prepare(net, spelling);
    golden.check(
        net, [&](const Tensor& x) { return net(x); }, spelling);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GoldenRrdb, test::golden_types(), test::golden_type_name);

}  // namespace
}  // namespace mini
