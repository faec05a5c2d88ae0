#include "train/objective.h"

#include <utility>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/queue.h"
#include "tensor/view.h"

namespace mini::train {
namespace {

// The latent [N,3(s²-1),h,w] that belongs to the downscaled `out` [N,3s²,h,w]: this share of the
// one that is drawn for the whole batch.
Tensor draw_latent(const models::InvertibleRescaler& network, const Tensor& hr,
                   Generator& generator, Share share) {
  const std::int64_t scale = network.scale(), n = hr.size(0);
  const Shape whole{n * share.count, 3 * (scale * scale - 1), hr.size(2) / scale,
                    hr.size(3) / scale};
  return network.sample_latent(whole, generator, ops::DrawPart{0, share.index * n, n});
}

Tensor image_part(const Tensor& x) { return narrow(x, 1, 0, 3); }

}  // namespace

SainObjective::SainObjective(ObjectiveOptions options) : options_(std::move(options)) {
  check(!options_.qualities.empty(), "objective: needs at least one codec quality");
}

int SainObjective::variant(Generator& generator) const {
  const auto choices = static_cast<std::int64_t>(options_.qualities.size());
  return options_.qualities[static_cast<std::size_t>(generator.next_below(choices))];
}

Losses SainObjective::losses(const models::InvertibleRescaler& network, const Tensor& hr,
                             const Tensor& lr_reference, int variant, Generator& generator,
                             Share share) const {
  const Tensor z = draw_latent(network, hr, generator, share);
  return (*this)(network, hr, lr_reference, z * options_.latent_scale, variant);
}

Losses SainObjective::operator()(const models::InvertibleRescaler& network, const Tensor& hr,
                                 const Tensor& lr_reference, const Tensor& z, int quality) const {
  // The codec takes copies of its inputs, and gives back its results only when all of the network's
  // work is queued: so a GPU has something to do while the CPU compresses.
  const auto codec = [format = options_.format, quality](const HostCopy& x, const Tensor& like) {
    return from_host(like.shape(), like.dtype(), like.device(), [=](const Tensor& result) {
      ops::copy(io::codec_roundtrip(x.wait(), format, quality), result);
    });
  };
  const HostCopy sent_reference(lr_reference);
  const models::FlowResult down = network.forward(hr);
  const Tensor compressed = image_part(down.out);
  const Tensor lr_quantised = quantise(down.lr);
  const HostCopy sent(lr_quantised.detach());
  const Tensor lr_simulated = diff_jpeg(lr_quantised, quality);
  const models::FlowResult up = network.inverse(concat({lr_simulated, z}, 1));

  const Tensor fit_lr = l2_loss(down.lr, lr_reference) * options_.lambda_forw;
  const Tensor fit_compressed =
      l2_loss(compressed, codec(sent_reference, lr_reference)) * options_.lambda_forw;
  const Tensor reg = l2_loss(lr_quantised, up.lr) * options_.lambda_forw;
  const Tensor rel = l2_loss(compressed, codec(sent, lr_quantised)) * options_.lambda_forw;
  const Tensor back = l1_loss(image_part(up.out), hr) * options_.lambda_back;

  return {back + (fit_lr + fit_compressed + reg + rel) * 0.25,
          {{"l_forw_fit1", fit_lr.detach()},
           {"l_forw_fit2", fit_compressed.detach()},
           {"l_reg", reg.detach()},
           {"l_rel", rel.detach()},
           {"l_back_rec", back.detach()}}};
}

IrnObjective::IrnObjective(ObjectiveOptions options) : options_(std::move(options)) {}

Losses IrnObjective::losses(const models::InvertibleRescaler& network, const Tensor& hr,
                            const Tensor& lr_reference, int /*variant*/, Generator& generator,
                            Share share) const {
  const models::FlowResult down = network.forward(hr);
  const Tensor z = draw_latent(network, hr, generator, share) * options_.latent_scale;
  const models::FlowResult up = network.inverse(concat({quantise(down.lr), z}, 1));

  const Tensor latent = narrow(down.out, 1, 3, z.size(1));
  const Tensor fit = l2_loss(down.lr, lr_reference) * options_.lambda_forw;
  const Tensor prior =
      sum(square(latent)) * (0.5 * options_.lambda_prior / static_cast<double>(hr.size(0)));
  const Tensor back = l1_loss(image_part(up.out), hr) * options_.lambda_back;
  return {
      back + fit + prior,
      {{"l_forw_fit", fit.detach()}, {"l_prior", prior.detach()}, {"l_back_rec", back.detach()}}};
}

std::unique_ptr<Objective> make_objective(const std::string& network, ObjectiveOptions options) {
  if (network == "sain") return std::make_unique<SainObjective>(std::move(options));
  check(network == "irn", "objective: none for the network '", network,
        "'; there are sain and irn");
  return std::make_unique<IrnObjective>(std::move(options));
}

}  // namespace mini::train
