# An example for NixOS: a check that runs before a new system is switched to. nixpkgs builds runtime and guest image of one version, so that
# only an image of your own (`image =` in a configuration) can stop to fit. Source: nixpkgs, nixos/modules/system/activation/pre-switch-check.nix.
#
# The argument $1 is the new system. Its runtime is a program in the store, which kata-check is given by its version.
{ pkgs, kata-check, ... }:
{
  system.preSwitchChecks.kata-check = ''
    runtime=$(readlink -f "$1/sw/bin/kata-runtime" || true)
    if [ -x "$runtime" ]; then
      version=$("$runtime" --version | sed -n 's/^kata-runtime *: *//p')
      status=0
      ${kata-check}/bin/kata-check --to "$version" || status=$?
      # Only a mismatch stops the switch; when kata-check fails itself, it goes on.
      case $status in 10|11) exit "$status";; esac
    fi
  '';
}
