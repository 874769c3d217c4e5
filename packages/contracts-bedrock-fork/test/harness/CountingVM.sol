// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @notice What the machine reads of OP's PreimageOracle.
interface ILocalPreimages {
    function readPreimage(bytes32 key, uint256 offset) external view returns (bytes32 data, uint256 length);
}

/// @notice What the machine reads of the calling game.
interface IClaimedBlock {
    function l2BlockNumber() external view returns (uint256);
}

/// @title CountingVM
/// @notice A machine with the outline of the AGNT2 machine, for tests of the challenger: step 0 reads the game's local data and
///         decides, every later step extends a hash chain, and the final state repeats itself. An output root is
///         keccak256(abi.encode(block, payload)), and a block's payload is the hash of its predecessor's.
contract CountingVM {
    /// @notice The machine's whole state.
    struct State {
        uint64 step;
        uint64 steps;
        bytes32 chain;
        bool right;
    }

    /// @notice The witness is not the preimage of the starting output root.
    error WrongWitness();

    /// @notice OP's PreimageOracle.
    ILocalPreimages public immutable oracle;
    /// @notice Last L2 block that derives from L1.
    uint64 public immutable derivable;

    /// @param _oracle     OP's PreimageOracle.
    /// @param _derivable  Last L2 block that derives from L1.
    constructor(address _oracle, uint64 _derivable) {
        oracle = ILocalPreimages(_oracle);
        derivable = _derivable;
    }

    /// @notice Executes one step.
    /// @param stateData     abi.encode(State).
    /// @param proof         Step 0: the preimage of the starting output root. Later steps: empty.
    /// @param localContext  The game's name for the disputed pair of outputs.
    /// @return The hash of the state after the step, with its status in the top byte.
    function step(bytes calldata stateData, bytes calldata proof, bytes32 localContext)
        external
        view
        returns (bytes32)
    {
        State memory s = abi.decode(stateData, (State));
        if (s.step == s.steps) return _hash(s);
        if (s.step == 0) {
            bytes32 starting = _local(2, localContext);
            bytes32 disputed = _local(3, localContext);
            if (keccak256(proof) != starting) revert WrongWitness();
            (uint256 number, bytes32 payload) = abi.decode(proof, (uint256, bytes32));
            bytes32 expected = starting;
            if (number < IClaimedBlock(msg.sender).l2BlockNumber() && number < derivable) {
                expected = keccak256(abi.encode(number + 1, keccak256(abi.encode(payload))));
            }
            s.right = expected == disputed;
            s.chain = keccak256(abi.encode(starting, disputed, _local(1, localContext)));
        } else {
            if (proof.length != 0) revert WrongWitness();
            s.chain = keccak256(abi.encode(s.chain, s.step));
        }
        s.step++;
        return _hash(s);
    }

    function _hash(State memory s) private pure returns (bytes32) {
        uint256 status = s.step < s.steps ? 3 : s.right ? 0 : 1;
        return bytes32((uint256(keccak256(abi.encode(s))) & (type(uint256).max >> 8)) | (status << 248));
    }

    function _local(uint256 ident, bytes32 localContext) private view returns (bytes32 data) {
        bytes32 key = keccak256(abi.encode((uint256(1) << 248) | ident, msg.sender, localContext));
        key = bytes32((uint256(key) & (type(uint256).max >> 8)) | (uint256(1) << 248));
        (data,) = oracle.readPreimage(key, 8);
    }
}
