"""What every surface says in every fault, compared with what targets and clients saw."""
