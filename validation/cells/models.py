"""More models of Brian2's examples and of the literature, by their published equations, as a user of Brian2 writes them.

With those of `tests.sim.own_cells`. Equations are of point neurons without their noise and inputs; currents are constant.
"""

from __future__ import annotations

import numpy as np
from brian2 import Hz, ms, mV, nS, pA, pF

from tests.sim.own_cells import Published

__all__ = ["MORE"]

TRAUB = """
dm/dt = am*(1 - m) - bm*m : 1
dn/dt = an*(1 - n) - bn*n : 1
dh/dt = ah*(1 - h) - bh*h : 1
am = 0.32/mV*4*mV/exprel((13*mV - v + v_t)/(4*mV))/ms : Hz
bm = 0.28/mV*5*mV/exprel((v - v_t - 40*mV)/(5*mV))/ms : Hz
ah = 0.128*exp((17*mV - v + v_t)/(18*mV))/ms : Hz
bh = 4/(1 + exp((40*mV - v + v_t)/(5*mV)))/ms : Hz
an = 0.032/mV*5*mV/exprel((15*mV - v + v_t)/(5*mV))/ms : Hz
bn = 0.5*exp((10*mV - v + v_t)/(40*mV))/ms : Hz
"""
R = 100 * mV / (1000 * pA)


def _drive(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 12)


MORE = (
    Published(
        "theta_neuron", "dphi/dt = (1 - cos(phi) + (1 + cos(phi))*I)/tau : 1", "phi > pi", "phi = phi - 2*pi", "rk4",
        {"tau": 10 * ms}, _drive(0.05, 2.0), {"phi": -1.0}, "Ermentrout & Kopell 1986, SIAM J. Appl. Math. 46:233",
    ),
    Published(
        "driven_phase", "dv/dt = (-v + E + A*sin(phase) + R*I)/tau : volt\ndphase/dt = 2*pi*f : 1",
        "v > v_t", "v = v_r", "rk2",
        {"tau": 20 * ms, "E": -60 * mV, "A": 8 * mV, "f": 25 * Hz, "R": R, "v_t": -50 * mV, "v_r": -60 * mV},
        _drive(60, 250), {"v": -60 * mV, "phase": 0.0}, "Brette 2004, J. Math. Biol. 48:38 (Brian2 frompapers)",
    ),
    Published(
        "adaptive_inactivation",
        "dv/dt = (E_l - v + R*I)/tau : volt\n"
        "dtheta/dt = (v_i + k_a*log(1 + exp((v - v_i)/k_i)) - theta)/tau_theta : volt",
        "v > theta", "v = E_l", "euler",
        {"E_l": -70 * mV, "R": R, "tau": 5 * ms, "v_i": -60 * mV, "k_a": 5 * mV, "k_i": 6 * mV, "tau_theta": 5 * ms},
        _drive(220, 900), {"v": -70 * mV, "theta": -58 * mV},
        "Platkiewicz & Brette 2011, PLoS Comput. Biol. 7:e1001129 (Brian2 frompapers)", refractory=3 * ms,
    ),
    Published(
        "cochlear_nucleus_type_1c",
        "dv/dt = (g_na*m**3*h*(E_na - v) + g_ht*(phi*n**2 + (1 - phi)*p)*(E_k - v) + g_h*(E_h - v) + g_l*(E_l - v) + I)/C : volt"
        "\n"
        "dm/dt = (m_inf - m)/(tau_m/q) : 1\ndh/dt = (h_inf - h)/(tau_h/q) : 1\ndn/dt = (n_inf - n)/(tau_n/q) : 1\n"
        "dp/dt = (p_inf - p)/(tau_p/q) : 1\n"
        "m_inf = 1/(1 + exp(-(vu + 38)/7)) : 1\nh_inf = 1/(1 + exp((vu + 65)/6)) : 1\n"
        "n_inf = (1 + exp(-(vu + 15)/5))**-0.5 : 1\np_inf = 1/(1 + exp(-(vu + 23)/6)) : 1\n"
        "tau_m = (10/(5*exp((vu + 60)/18) + 36*exp(-(vu + 60)/25)) + 0.04)*ms : second\n"
        "tau_h = (100/(7*exp((vu + 60)/11) + 10*exp(-(vu + 60)/25)) + 0.6)*ms : second\n"
        "tau_n = (100/(11*exp((vu + 60)/24) + 21*exp(-(vu + 60)/23)) + 0.7)*ms : second\n"
        "tau_p = (100/(4*exp((vu + 60)/32) + 5*exp(-(vu + 60)/22)) + 5)*ms : second\nvu = v/mV : 1",
        "v > 0*mV", "", "euler",
        {"C": 12 * pF, "g_na": 1000 * nS, "E_na": 55 * mV, "g_ht": 150 * nS, "E_k": -70 * mV, "g_h": 0.5 * nS, "E_h": -43 * mV,
         "g_l": 2 * nS, "E_l": -65 * mV, "phi": 0.85, "q": 3.0},
        _drive(40, 400), {"v": -63 * mV, "m": 0.03, "h": 0.45, "n": 0.01, "p": 0.002},
        "Rothman & Manis 2003, J. Neurophysiol. 89:3097 (Brian2 frompapers)", refractory="v > -20*mV", dt_ms=0.02,
        duration_ms=100.0,
    ),
    Published(
        "connor_stevens",
        "dv/dt = (g_l*(E_l - v) + g_na*m**3*h*(E_na - v) + g_k*n**4*(E_k - v) + g_a*a**3*b*(E_a - v) + I)/C : volt\n"
        "dm/dt = (3.8/exprel(-(vu + 29.7)/10)*(1 - m) - 15.2*exp(-0.0556*(vu + 54.7))*m)/ms : 1\n"
        "dh/dt = (0.266*exp(-0.05*(vu + 48))*(1 - h) - 3.8/(1 + exp(-0.1*(vu + 18)))*h)/ms : 1\n"
        "dn/dt = (0.2/exprel(-(vu + 45.7)/10)*(1 - n) - 0.25*exp(-0.0125*(vu + 55.7))*n)/ms : 1\n"
        "da/dt = (a_inf - a)/tau_a : 1\ndb/dt = (b_inf - b)/tau_b : 1\n"
        "a_inf = (0.0761*exp(0.0314*(vu + 94.22))/(1 + exp(0.0346*(vu + 1.17))))**(1/3) : 1\n"
        "tau_a = (0.3632 + 1.158/(1 + exp(0.0497*(vu + 55.96))))*ms : second\n"
        "b_inf = (1/(1 + exp(0.0688*(vu + 53.3))))**4 : 1\n"
        "tau_b = (1.24 + 2.678/(1 + exp(0.0624*(vu + 50))))*ms : second\nvu = v/mV : 1",
        "v > -10*mV", "", "rk2",
        {"C": 100 * pF, "g_l": 30 * nS, "E_l": -17 * mV, "g_na": 12000 * nS, "E_na": 55 * mV, "g_k": 2000 * nS, "E_k": -72 * mV,
         "g_a": 4770 * nS, "E_a": -75 * mV},
        _drive(800, 3000), {"v": -68 * mV, "m": 0.01, "h": 0.97, "n": 0.16, "a": 0.54, "b": 0.29},
        "Connor & Stevens 1971, J. Physiol. 213:31; Dayan & Abbott 2001, ch. 6", refractory="v > -30*mV", dt_ms=0.02,
        duration_ms=150.0,
    ),
    Published(
        "hindmarsh_rose",
        "dx/dt = (y - x**3 + 3*x**2 - z + I)/ms : 1\ndy/dt = (1 - 5*x**2 - y)/ms : 1\ndz/dt = r*(4*(x + 1.6) - z)/ms : 1",
        "x > 1", "", "rk4", {"r": 0.005}, _drive(1.5, 4.0), {"x": -1.6, "y": -10.0, "z": 2.0},
        "Hindmarsh & Rose 1984, Proc. R. Soc. B 221:87 (Brian2 frompapers)", refractory="x > 0", dt_ms=0.02, duration_ms=400.0,
    ),
    Published(
        "resonate_and_fire", "dx/dt = (b*x - w*y + I)/ms : 1\ndy/dt = (w*x + b*y)/ms : 1", "y > 1", "x = 0; y = 0", "rk4",
        {"b": -0.1, "w": 1.0}, _drive(0.9, 3.0), {"x": 0.0, "y": 0.0}, "Izhikevich 2001, Neural Netw. 14:883", duration_ms=400.0,
    ),
    Published(
        "generalised_if",
        "dv/dt = (g*(E_l - v) + i_1 + i_2 + I)/C : volt\ni_sum = i_1 + i_2 : amp\ndi_1/dt = -k_1*i_1 : amp\n"
        "di_2/dt = -k_2*i_2 : amp\ndtheta/dt = a*(v - E_l) - b*(theta - theta_inf) : volt",
        "v > theta",
        "i_1 = r_1*i_1 + a_1\ni_2 = r_2*i_2 + a_2\nv = v_r\ntheta = theta*int(theta > theta_r) + theta_r*int(theta <= theta_r)",
        "exact",
        {"C": 100 * pF, "g": 5 * nS, "E_l": -70 * mV, "k_1": 200 * Hz, "k_2": 20 * Hz, "a": 5 * Hz, "b": 10 * Hz,
         "theta_inf": -50 * mV, "theta_r": -60 * mV, "v_r": -70 * mV, "r_1": 0.0, "r_2": 1.0, "a_1": 500 * pA, "a_2": -60 * pA},
        _drive(120, 400), {"v": -70 * mV, "theta": -50 * mV, "i_1": 1 * pA, "i_2": 1 * pA},
        "Mihalas & Niebur 2009, Neural Comput. 21:704",
    ),
    Published(
        "multi_timescale_threshold",
        "dv/dt = (E_l - v + R*I)/tau : volt\ndh_1/dt = -h_1/tau_1 : volt\ndh_2/dt = -h_2/tau_2 : volt",
        "v > omega + h_1 + h_2", "h_1 += alpha_1; h_2 += alpha_2", "exact",
        {"E_l": -70 * mV, "R": R, "tau": 5 * ms, "tau_1": 10 * ms, "tau_2": 200 * ms, "omega": -52 * mV, "alpha_1": 15 * mV,
         "alpha_2": 3 * mV},
        _drive(150, 800), {"v": -70 * mV, "h_1": 0 * mV, "h_2": 0 * mV}, "Kobayashi et al. 2009, Front. Comput. Neurosci. 3:9",
        refractory=2 * ms,
    ),
    Published(
        "quartic_if", "dv/dt = (v**4 + 2*a*v - w + I)/tau : 1\ndw/dt = a*(b*v - w)/tau : 1", "v > 5", "v = v_r; w += d", "rk4",
        {"a": 1.0, "b": 0.5, "d": 1.0, "v_r": -1.0, "tau": 5 * ms}, _drive(1.0, 8.0), {"v": -1.0, "w": 0.0},
        "Touboul 2008, SIAM J. Appl. Math. 68:1045", dt_ms=0.01, duration_ms=100.0,
    ),
    Published(
        "piecewise_linear_mckean",
        "dv/dt = (-v*int(v < a/2) + (v - a)*int(v >= a/2 and v <= (1 + a)/2) + (1 - v)*int(v > (1 + a)/2) - w + I)/tau : 1\n"
        "dw/dt = (v - gamma*w)*rate/tau : 1",
        "v > 0.6", "", "rk2", {"a": 0.25, "gamma": 0.5, "rate": 0.02, "tau": 1 * ms}, _drive(0.2, 0.6), {"v": 0.0, "w": 0.0},
        "McKean 1970, Adv. Math. 4:209", refractory="v > 0.4", duration_ms=600.0,
    ),
    Published(
        "destexhe_pare_pyramidal",
        "dv/dt = (g_l*(E_l - v) + g_na*m**3*h*(E_na - v) + g_k*n**4*(E_k - v) + g_m*p*(E_k - v) + I)/C : volt\n"
        "dp/dt = 1e-4/mV*9*mV*((1 - p)/exprel(-(v + 30*mV)/(9*mV)) - p/exprel((v + 30*mV)/(9*mV)))/ms : 1" + TRAUB,
        "v > -20*mV", "", "exponential_euler",
        {"C": 350 * pF, "g_l": 15.7 * nS, "E_l": -80 * mV, "g_na": 18000 * nS, "E_na": 50 * mV, "g_k": 3500 * nS, "E_k": -90 * mV,
         "g_m": 170 * nS, "v_t": -58 * mV},
        _drive(600, 2500), {"v": -75 * mV, "m": 0.0, "h": 1.0, "n": 0.0, "p": 0.0},
        "Destexhe & Paré 1999, J. Neurophysiol. 81:1531", refractory="v > -40*mV", dt_ms=0.05, duration_ms=150.0,
    ),
    Published(
        "hodgkin_huxley_1952",
        "dv/dt = (g_l*(E_l - v) + g_na*m**3*h*(E_na - v) + g_k*n**4*(E_k - v) + I)/C : volt\n"
        "dm/dt = (1/exprel((25*mV - v + E_r)/(10*mV))*(1 - m) - 4*exp((E_r - v)/(18*mV))*m)/ms : 1\n"
        "dh/dt = (0.07*exp((E_r - v)/(20*mV))*(1 - h) - h/(1 + exp((30*mV - v + E_r)/(10*mV))))/ms : 1\n"
        "dn/dt = (0.1/exprel((10*mV - v + E_r)/(10*mV))*(1 - n) - 0.125*exp((E_r - v)/(80*mV))*n)/ms : 1",
        "v > -20*mV", "", "rk4",
        {"C": 100 * pF, "g_l": 30 * nS, "E_l": -54.4 * mV, "g_na": 12000 * nS, "E_na": 50 * mV, "g_k": 3600 * nS, "E_k": -77 * mV,
         "E_r": -65 * mV},
        _drive(300, 2500), {"v": -65 * mV, "m": 0.053, "h": 0.596, "n": 0.318}, "Hodgkin & Huxley 1952, J. Physiol. 117:500",
        refractory="v > -40*mV", dt_ms=0.02, duration_ms=150.0,
    ),
    Published(
        "alpha_current_lif", "dv/dt = (-(v - E_l) + x + R*I)/tau : volt\ndx/dt = (-x + y)/tau_s : volt\ndy/dt = -y/tau_s : volt",
        "v > v_t", "v = E_l; y += kick", "exact",
        {"tau": 10 * ms, "tau_s": 0.325 * ms, "E_l": -70 * mV, "v_t": -55 * mV, "R": R, "kick": -4.86 * mV},
        _drive(160, 600), {"v": -70 * mV, "x": 0 * mV, "y": 0 * mV}, "Diesmann et al. 1999, Nature 402:529 (Brian2 frompapers)",
        refractory=1 * ms,
    ),
    Published(
        "persistent_sodium_potassium",
        "dv/dt = (I - g_l*(v - E_l) - g_na*m_inf*(v - E_na) - g_k*n*(v - E_k))/C : volt\n"
        "dn/dt = (1/(1 + exp((n_half - v)/k_n)) - n)/tau : 1\nm_inf = 1/(1 + exp((m_half - v)/k_m)) : 1",
        "v > -20*mV", "", "rk2",
        {"C": 100 * pF, "g_l": 800 * nS, "E_l": -80 * mV, "g_na": 2000 * nS, "E_na": 60 * mV, "g_k": 1000 * nS, "E_k": -90 * mV,
         "m_half": -20 * mV, "k_m": 15 * mV, "n_half": -25 * mV, "k_n": 5 * mV, "tau": 1 * ms},
        _drive(500, 3000), {"v": -66 * mV, "n": 0.0}, "Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 4",
        refractory="v > -40*mV", dt_ms=0.02,
    ),
    Published(
        "voltage_triplet_cell",
        "dv/dt = (-g_l*(v - E_l) + g_l*D*exp((v - theta)/D) - w + z + I)/C : volt\ndw/dt = (a*(v - E_l) - w)/tau_w : amp\n"
        "dz/dt = -z/tau_z : amp\ndtheta/dt = (theta_rest - theta)/tau_theta : volt",
        "v > 20*mV", "v = v_r; w += b; z = z_0; theta = theta_max", "exponential_euler",
        {"C": 281 * pF, "g_l": 30 * nS, "E_l": -70.6 * mV, "D": 2 * mV, "a": 4 * nS, "tau_w": 144 * ms, "tau_z": 40 * ms,
         "tau_theta": 50 * ms, "theta_rest": -50.4 * mV, "theta_max": -30.4 * mV, "b": 80.5 * pA, "z_0": 400 * pA,
         "v_r": -70.6 * mV},
        _drive(800, 2500), {"v": -70.6 * mV, "w": 0 * pA, "z": 0 * pA, "theta": -50.4 * mV},
        "Clopath et al. 2010, Nat. Neurosci. 13:344 (Brian2 frompapers)",
    ),
    Published(
        "square_root_adaptation", "dv/dt = (E_l - v + R*I*sqrt(x))/tau : volt\ndx/dt = (1 - x)/tau_x : 1", "v > v_t",
        "v = E_l; x *= keep", "euler",
        {"E_l": -70 * mV, "R": R, "tau": 10 * ms, "tau_x": 80 * ms, "v_t": -50 * mV, "keep": 0.8}, _drive(220, 900),
        {"v": -70 * mV, "x": 1.0}, "none: depression of the input by its square root, for the function alone",
    ),
)  # fmt: skip
