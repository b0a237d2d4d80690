"""The private keys of a trust folder, opened when needed; each passphrase is asked for once."""

from countermark.core.errors import Code, KeyAccessError
from countermark.core.ports import KeyFiles, PassphraseRequest, Passphrases, StoredKey
from countermark.formats.tuf import ROOT
from countermark.proofs import key_files
from countermark.proofs.keys import PrivateKey

_ATTEMPTS = 16  # the passphrases' own source gives up long before


class KeyRing:
    """Finds, opens and makes keys. Opened keys stay in memory while this lives, and nowhere else."""

    def __init__(self, files: KeyFiles, passphrases: Passphrases) -> None:
        self._files, self._passphrases = files, passphrases
        self._open: dict[str, PrivateKey] = {}

    def __call__(self, key_id: str) -> PrivateKey | None:
        """Open the key of a canonical ID, None where there is none.

        Raises:
            KeyAccessError: it does not open, or is another key than its name says.
        """
        if key_id not in self._open:
            pem = self._files.read(key_id)
            if pem is None:
                return None
            self._open[key_id] = self._opened(key_id, pem)
        return self._open[key_id]

    def _opened(self, key_id: str, pem: bytes) -> PrivateKey:
        file = key_files.KeyFile.parse(pem)
        private = self._unlocked(key_id, file) if file.encrypted else file.open(None)
        if private.id != key_id:
            raise KeyAccessError(
                f"the key file {key_id}.key holds another key ({private.id})", code=Code.KEY_ID
            )
        return private

    def _unlocked(self, key_id: str, file: key_files.KeyFile) -> PrivateKey:
        for attempt in range(_ATTEMPTS):
            request = PassphraseRequest(key_id=key_id, role=file.role, attempt=attempt)
            passphrase = self._passphrases.passphrase(request)  # whose refusal ends it
            try:
                return file.open(passphrase)
            except KeyAccessError as error:
                if error.code != Code.PASSPHRASE:
                    raise
        raise KeyAccessError("password invalid, operation has failed.", code=Code.PASSPHRASE)

    def holds(self, key_id: str) -> bool:
        """Say whether there is a file for a key, without opening it."""
        return key_id in self._open or self._files.read(key_id) is not None

    def of_role(self, role: str) -> StoredKey | None:
        """The first key of a role, as docker chooses it; None where there is none."""
        return next((key for key in self._files.list() if key.role == role), None)

    def make(self, role: str, gun: str = "") -> PrivateKey:
        """Make a key, protected by a passphrase, and keep it.

        Raises:
            KeyAccessError: no passphrase was given. StorageError: it cannot be kept.
        """
        private = PrivateKey.generate("ecdsa")
        return self.keep(private, role, gun)

    def keep(self, private: PrivateKey, role: str, gun: str = "") -> PrivateKey:
        """Keep a key under a new passphrase."""
        request = PassphraseRequest(key_id=private.id, role=role, new=True)
        passphrase = self._passphrases.passphrase(request)
        self._files.write(private.id, key_files.encode_key(private, passphrase, role=role, gun=gun))
        self._open[private.id] = private
        return private

    def root(self) -> PrivateKey:
        """The first root key, or a new one where there is none."""
        stored = self.of_role(ROOT)
        found = self(stored.id) if stored is not None else None
        return found if found is not None else self.make(ROOT)
