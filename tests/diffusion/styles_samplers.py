"""Right answers of Lecture 6 in three other styles than the course's own: samplers and guidance."""

import torch

from helpers import diffusion


def ddpm_step(x_t, noise, alpha_bar_t, alpha_bar_prev, xi, *, variance="posterior"):
    """The paper's line."""
    a, prev = diffusion.per_sample(alpha_bar_t, x_t), diffusion.per_sample(alpha_bar_prev, x_t)
    alpha = a / prev
    mean = 1 / alpha.sqrt() * (x_t - (1 - alpha) / (1 - a).sqrt() * noise)
    sigma = (1 - alpha).sqrt() if variance == "beta" else ((1 - prev) / (1 - a) * (1 - alpha)).sqrt()
    return mean + torch.where(prev == 1, 0.0, sigma) * xi


def ddpm_step_2(x_t, noise, alpha_bar_t, alpha_bar_prev, xi, *, variance="posterior"):
    """Over the predicted x_0 and the posterior."""
    x_0 = diffusion.x0_from_noise(x_t, noise, alpha_bar_t)
    mean, tilde = diffusion.posterior_mean_variance(x_t, x_0, alpha_bar_t, alpha_bar_prev)
    beta = (1 - alpha_bar_t / alpha_bar_prev) * (alpha_bar_prev < 1)
    chosen = {"posterior": tilde, "beta": beta.to(tilde)}[variance]
    return mean + diffusion.per_sample(chosen.sqrt(), x_t) * xi


def ddpm_step_3(x_t, noise, alpha_bar_t, alpha_bar_prev, xi, *, variance="posterior"):
    """Sample by sample, in plain numbers."""
    out = []
    for i in range(len(x_t)):
        a = float(alpha_bar_t[i] if alpha_bar_t.ndim else alpha_bar_t)
        prev = float(alpha_bar_prev[i] if alpha_bar_prev.ndim else alpha_bar_prev)
        beta = 1 - a / prev
        x = (x_t[i] - beta / (1 - a) ** 0.5 * noise[i]) / (a / prev) ** 0.5
        if prev < 1:
            x = x + (beta if variance == "beta" else beta * (1 - prev) / (1 - a)) ** 0.5 * xi[i]
        out.append(x)
    return torch.stack(out)


def ancestral_sample(denoiser, schedule, x_T, xi):
    x = x_T
    for t in range(schedule.T, 0, -1):
        beta, alpha, a = schedule.beta[t - 1], schedule.alpha[t - 1], schedule.alpha_bar[t - 1]
        noise = denoiser(x, torch.full((len(x),), t))
        mean = (x - beta / (1 - a).sqrt() * noise) / alpha.sqrt()
        x = mean + beta.sqrt() * xi[t - 1] if t > 1 else mean
    return x


def ancestral_sample_2(denoiser, schedule, x_T, xi):
    """By the course's step."""
    x = x_T
    for t in reversed(range(1, schedule.T + 1)):
        noise = denoiser(x, torch.tensor([t] * len(x)))
        x = diffusion.ddpm_step(x, noise, schedule.at(t), schedule.at(t - 1), xi[t - 1], variance="beta")
    return x


def ancestral_sample_3(denoiser, schedule, x_T, xi):
    """The noise at t = 1 set to 0 first, recursively."""
    xi = xi.clone()
    xi[0] = 0

    def back(x, t):
        if t == 0:
            return x
        beta, a = float(schedule.beta[t - 1]), float(schedule.alpha_bar[t - 1])
        noise = denoiser(x, torch.ones(len(x), dtype=torch.long) * t)
        return back((x - beta * (1 - a) ** -0.5 * noise) * (1 - beta) ** -0.5 + beta**0.5 * xi[t - 1], t - 1)

    return back(x_T, schedule.T)


def ddim_step(x_t, noise, alpha_bar_t, alpha_bar_prev, xi=None, *, eta=0.0):
    """The paper's equation 12."""
    a, prev = diffusion.per_sample(alpha_bar_t, x_t), diffusion.per_sample(alpha_bar_prev, x_t)
    sigma = eta * torch.sqrt((1 - prev) / (1 - a)) * torch.sqrt(1 - a / prev)
    predicted = prev.sqrt() * (x_t - (1 - a).sqrt() * noise) / a.sqrt()
    out = predicted + torch.sqrt((1 - prev - sigma**2).clamp(min=0)) * noise
    return out + sigma * xi if xi is not None else out


def ddim_step_2(x_t, noise, alpha_bar_t, alpha_bar_prev, xi=None, *, eta=0.0):
    """From q_sample, with the noise that is left over."""
    x_0 = diffusion.x0_from_noise(x_t, noise, alpha_bar_t)
    if xi is None or eta == 0:
        return diffusion.q_sample(x_0, alpha_bar_prev, noise)
    share = eta**2 * (1 - alpha_bar_t / alpha_bar_prev) / (1 - alpha_bar_t)
    mixed = diffusion.per_sample((1 - share).clamp(min=0).sqrt(), x_t) * noise
    return diffusion.q_sample(x_0, alpha_bar_prev, mixed + diffusion.per_sample(share.sqrt(), x_t) * xi)


def ddim_step_3(x_t, noise, alpha_bar_t, alpha_bar_prev, xi=None, *, eta=0.0):
    """In float64, by the posterior's variance."""
    x, e = x_t.double(), noise.double()
    a, prev = alpha_bar_t.double(), alpha_bar_prev.double()
    x_0 = (x - diffusion.per_sample((1 - a).sqrt(), x) * e) / diffusion.per_sample(a.sqrt(), x)
    variance = eta**2 * diffusion.posterior_mean_variance(x, x_0, a, prev)[1]
    keep = torch.relu(1 - prev - variance).sqrt()
    out = diffusion.per_sample(prev.sqrt(), x) * x_0 + diffusion.per_sample(keep, x) * e
    if xi is not None:
        out = out + diffusion.per_sample(variance.sqrt(), x) * xi.double()
    return out.to(x_t.dtype)


def classifier_free_noise(noise_cond, noise_uncond, gamma):
    return noise_uncond + gamma * (noise_cond - noise_uncond)


def classifier_free_noise_2(noise_cond, noise_uncond, gamma):
    return torch.lerp(noise_uncond, noise_cond, gamma)


def classifier_free_noise_3(noise_cond, noise_uncond, gamma):
    """The paper's form."""
    w = gamma - 1
    return (1 + w) * noise_cond - w * noise_uncond
